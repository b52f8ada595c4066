"""Functions for views: answer, redirect, abort, flash, stream, send files. Most ask the current app."""

from __future__ import annotations

import os
import typing as t
from functools import update_wrapper

from werkzeug.exceptions import abort as _abort
from werkzeug.utils import redirect as _redirect

from .context import _cv_app, _cv_request, current_app, request, request_ctx, session
from .signals import message_flashed

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from werkzeug.wrappers import Response as BaseResponse

    from .wrappers import Response

# An iterator, or a function that returns one.
T = t.TypeVar("T")


def get_debug_flag() -> bool:
    """Return whether the environment asks for debug mode, by ``FLASK_DEBUG``."""
    value = os.environ.get("FLASK_DEBUG", "").lower()
    return value not in {"", "0", "false", "no"}


def get_load_dotenv(default: bool = True) -> bool:
    """Return whether ``.env`` files may be loaded: ``FLASK_SKIP_DOTENV`` forbids it."""
    value = os.environ.get("FLASK_SKIP_DOTENV", "").lower()
    return value in {"0", "false", "no"} if value else default


def stream_with_context(generator_or_function: T) -> T:
    """Keep the request's contexts around a generator while the server takes its chunks.

    Decorates a generator function too. Teardown functions run twice: when the view's context is popped and
    when the body is done. Mirrors flask 3.1.3 helpers.py: stream_with_context.
    """
    source: t.Any = generator_or_function
    try:
        chunks = iter(source)
    except TypeError:

        def decorator(*args: t.Any, **kwargs: t.Any) -> t.Any:
            return stream_with_context(source(*args, **kwargs))

        return t.cast(T, update_wrapper(decorator, source))

    def in_context() -> Iterator[t.Any]:
        ctx = _cv_request.get(None)
        if ctx is None:
            raise RuntimeError("'stream_with_context' can only be used when a request context is active.")
        app_ctx = _cv_app.get()
        # The first step is taken below, while the contexts are current; nothing of the body is made yet.
        yield None
        with app_ctx, ctx:
            try:
                yield from chunks
            finally:
                if hasattr(chunks, "close"):
                    chunks.close()

    streamed = in_context()
    next(streamed)
    return t.cast(T, streamed)


def make_response(*args: t.Any) -> Response:
    """Return a response as the app would make it of a view's return value; several arguments are a tuple."""
    if not args:
        return current_app.response_class()
    return current_app.make_response(args[0] if len(args) == 1 else args)


def url_for(endpoint: str, **values: t.Any) -> str:
    """Return the URL of an endpoint, by `App.url_for` of the current app, with its arguments."""
    return current_app.url_for(endpoint, **values)


def redirect(location: str, code: int = 302, Response: type[BaseResponse] | None = None) -> BaseResponse:
    """Return a redirect response, by the current app if there is one."""
    if current_app:
        return current_app.redirect(location, code=code)
    return _redirect(location, code=code, Response=Response)


def abort(code: int | BaseResponse, *args: t.Any, **kwargs: t.Any) -> t.NoReturn:
    """Raise the HTTP error of a status code, or answer with a response at once."""
    if current_app:
        current_app.aborter(code, *args, **kwargs)
    _abort(code, *args, **kwargs)


def get_template_attribute(template_name: str, attribute: str) -> t.Any:
    """Return a macro or variable that a template exports."""
    return getattr(current_app.jinja_env.get_template(template_name).module, attribute)


def flash(message: str, category: str = "message") -> None:
    """Leave a message in the session, for this page or the next one to show."""
    # A new assignment, so that the session notices the change.
    session["_flashes"] = [*session.get("_flashes", []), (category, message)]
    app = _cv_app.get().app
    message_flashed.send(app, _async_wrapper=app.ensure_sync, message=message, category=category)


def get_flashed_messages(
    with_categories: bool = False, category_filter: Iterable[str] = ()
) -> list[str] | list[tuple[str, str]]:
    """Return the flashed messages, taken out of the session once and kept for the rest of this request."""
    flashes = request_ctx.flashes
    if flashes is None:
        flashes = session.pop("_flashes") if "_flashes" in session else []
        request_ctx.flashes = flashes
    if category_filter:
        flashes = [flashed for flashed in flashes if flashed[0] in category_filter]
    return flashes if with_categories else [message for _, message in flashes]


def _send_file_options(max_age: t.Any) -> dict[str, t.Any]:
    """Return what Werkzeug's file functions need to know of the app."""
    return {
        "max_age": current_app.get_send_file_max_age if max_age is None else max_age,
        "use_x_sendfile": current_app.config["USE_X_SENDFILE"],
        "response_class": current_app.response_class,
        "_root_path": current_app.root_path,
    }


def send_file(
    path_or_file: os.PathLike[t.AnyStr] | str | t.IO[bytes],
    mimetype: str | None = None,
    as_attachment: bool = False,
    download_name: str | None = None,
    conditional: bool = True,
    etag: bool | str = True,
    last_modified: t.Any = None,
    max_age: int | Callable[[str | None], int | None] | None = None,
) -> Response:
    """Send a file that the app chose; for a path from the client see `send_from_directory`.

    Mirrors flask 3.1.3 helpers.py: send_file; the parameters are Werkzeug's.
    """
    from werkzeug.utils import send_file

    named = mimetype, as_attachment, download_name
    options = _send_file_options(max_age)
    return send_file(path_or_file, request.environ, *named, conditional, etag, last_modified, **options)  # type: ignore[arg-type, return-value]


def send_from_directory(directory: os.PathLike[str] | str, path: os.PathLike[str] | str, **kwargs: t.Any) -> Response:
    """Send the file ``path`` from inside ``directory``; 404 for anything outside it.

    Mirrors flask 3.1.3 helpers.py: send_from_directory.
    """
    from werkzeug.utils import send_from_directory

    options = kwargs | _send_file_options(kwargs.get("max_age"))
    return send_from_directory(directory, path, request.environ, **options)  # type: ignore[return-value]
