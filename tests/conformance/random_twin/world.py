"""Record the events of a running program, as plain values that can be compared between both sides."""

from __future__ import annotations

import logging
import re
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.wrappers import Response

from .program import Op, Program

Event = tuple[t.Any, ...]

# Messages that the frameworks word differently (docs/differences.md). Only the exception's class is compared.
OWN_WORDING = (
    re.compile(r"(?s)^The view function .*|^.*\nThe view function did not return a valid.*"),
    re.compile(r"(?s)^Working outside of .* context\..*"),
    re.compile(r"(?s)^The session is unavailable because.*"),
    re.compile(r"(?s)^A request was sent to .* canonical URL.*"),
    re.compile(r"(?s)^.*request\.files.*multipart/form-data.*"),
    re.compile(r"(?s)^Unable to build URLs outside an active request.*"),
    re.compile(r"(?s)^'(\w+)' can only be used when a request context is active.*"),
    re.compile(r"(?s)^Popped wrong (app|request) context\..*"),
    re.compile(r"(?s)^The setup method .* can no longer be called.*"),
)

# In Flask, the message of this error is only the name of the attribute.
MISSING_FROM_G = re.compile(r"^'_AppCtxGlobals' object has no attribute '(\w+)'$")

# The names and addresses of the context variables differ between the frameworks.
CONTEXT_VARIABLE = re.compile(r"<ContextVar name='(?:flask|wsgi_core)\.(\w+)' at 0x[0-9a-f]+>")


def same_wording(text: str) -> str:
    """Return `text`, or a token for it if the frameworks intentionally use different words."""
    text = MISSING_FROM_G.sub(r"\1", CONTEXT_VARIABLE.sub(r"<ContextVar \1>", text))
    for number, pattern in enumerate(OWN_WORDING):
        if pattern.match(text):
            return f"<own wording {number}>"
    return text


def describe_error(error: BaseException) -> Event:
    """Return the class and the text of an exception."""
    return (type(error).__name__, same_wording(str(error)))


def plain_headers(headers: t.Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers in their order. The methods in `Allow` are sorted, because their order is random."""
    return [(name, ", ".join(sorted(value.split(", "))) if name == "Allow" else value) for name, value in headers]


def _describe_response(response: Response) -> Event:
    """Return the status and the headers of a response.

    The body is not read here: it is compared when it is sent. In Flask, the body of an HTTP error is a stream until it
    is read; in wsgi_core, it is bytes from the start. Reading it here would hide effects of this difference.
    """
    return ("response", response.status, plain_headers(response.headers))


def plain(value: t.Any) -> t.Any:
    """Return `value` in a form that can be compared between the frameworks. For other types, return the class name."""
    if value is None or isinstance(value, (bool, int, str, bytes)):
        return value
    if isinstance(value, float):
        return repr(value)  # because NaN is not equal to itself
    if isinstance(value, BaseException):
        return describe_error(value)
    if isinstance(value, Response):
        return _describe_response(value)
    if isinstance(value, MultiDict):
        return [(key, plain(item)) for key, item in value.items(multi=True)]
    if isinstance(value, FileStorage):
        return ("file", value.filename, value.read())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return type(value).__name__


@dataclass
class World:
    """One side: the framework's module, the app, and the events so far.

    `later` has the functions in copied contexts that run after the response. `depth` is the number of contexts that
    operations have opened inside each other.
    """

    lib: t.Any
    app_class: type[t.Any]
    program: Program
    events: list[Event] = field(default_factory=list)
    later: list[Callable[[], t.Any]] = field(default_factory=list)
    cookies: dict[str, str] = field(default_factory=dict)
    depth: int = 0
    app: t.Any = None

    def note(self, *event: t.Any) -> None:
        """Add an event."""
        self.events.append(event)

    def perform(self, name: str, ops: tuple[Op, ...], given: t.Any = None) -> None:
        """Run the steps of the function `name`. Record what each step returns or raises."""
        from .ops import OPS

        for op in ops:
            key, args = (op, ()) if isinstance(op, str) else (op[0], op[1:])
            try:
                value = OPS[key](self, given, *args)
            except BaseException as e:
                self.note(name, key, "raised", describe_error(e))
                raise
            self.note(name, key, plain(value))

    def attempt(self, name: str, action: Callable[[], t.Any]) -> t.Any:
        """Return the result of `action`. If it raises an exception, record the exception and return None."""
        try:
            return action()
        except BaseException as e:
            self.note(name, "escaped", describe_error(e))
            return None


class LogNotes(logging.Handler):
    """A handler that records the log of the current world's app: level, text, and the class of the exception."""

    world: World | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self.world is not None:
            error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
            self.world.note("log", record.levelname, record.getMessage(), error)


LOGGER_NAME = "random_twin_app"
LOG_NOTES = LogNotes()


def _set_up_logger() -> None:
    logger = logging.getLogger(LOGGER_NAME)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(LOG_NOTES)


_set_up_logger()
