"""Errors that debug mode raises in place of puzzling ones. Imported when one is due."""

from __future__ import annotations

import typing as t

from werkzeug.routing import RequestRedirect

if t.TYPE_CHECKING:
    from .wrappers import Request


class FormDataRoutingRedirect(AssertionError):
    """In debug mode: a redirect to the canonical URL would make the browser drop the form it sent."""

    def __init__(self, request: Request) -> None:
        redirect = t.cast(RequestRedirect, request.routing_exception)
        text = f"A request was sent to '{request.url}', not to the canonical URL '{redirect.new_url}'."
        if f"{request.base_url}/" == redirect.new_url.partition("?")[0]:
            text += " The URL was defined with a trailing slash, which the request left out."
        text += "\n\nSend requests to the canonical URL, or use 307 or 308 for routing redirects; otherwise browsers"
        super().__init__(f"{text} drop the form data.\n\nThis exception is only raised in debug mode.")


class DebugFilesKeyError(KeyError, AssertionError):
    """In debug mode: an upload was asked for, but the form was sent without its encoding type."""

    def __init__(self, request: Request, key: str) -> None:
        sent = f"the request's mimetype is {request.mimetype!r}, so no file contents were transmitted"
        self.msg = f'request.files has no {key!r}: {sent}. Give the form enctype="multipart/form-data".'
        names = ", ".join(map(repr, request.form.getlist(key)))
        if names:
            self.msg += f"\n\nThe browser transmitted some file names. This was submitted: {names}"

    def __str__(self) -> str:
        return self.msg


def explain_missing_files(request: Request) -> None:
    """Let ``request.files[key]`` raise `DebugFilesKeyError` where the form has ``key`` but no upload came."""
    plain_class = request.files.__class__

    class ExplainingFiles(plain_class):  # type: ignore[misc, valid-type]
        def __getitem__(self, key: str) -> t.Any:
            try:
                return super().__getitem__(key)
            except KeyError as e:
                if key not in request.form:
                    raise
                raise DebugFilesKeyError(request, key).with_traceback(e.__traceback__) from None

    ExplainingFiles.__name__ = plain_class.__name__
    ExplainingFiles.__module__ = plain_class.__module__
    request.files.__class__ = ExplainingFiles
