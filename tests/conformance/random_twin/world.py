"""What is noted while a program runs: plain values that mean the same on both sides."""

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

# The wording of these is each framework's own (docs/differences.md); the class and the place count.
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

# Flask's ``g`` names the attribute and says no more.
MISSING_FROM_G = re.compile(r"^'_AppCtxGlobals' object has no attribute '(\w+)'$")

# Each framework's variable has its own name and address.
CONTEXT_VARIABLE = re.compile(r"<ContextVar name='(?:flask|wsgi_core)\.(\w+)' at 0x[0-9a-f]+>")


def same_wording(text: str) -> str:
    """`text`, or a token for it where the two frameworks mean to say it differently."""
    text = MISSING_FROM_G.sub(r"\1", CONTEXT_VARIABLE.sub(r"<ContextVar \1>", text))
    for number, pattern in enumerate(OWN_WORDING):
        if pattern.match(text):
            return f"<own wording {number}>"
    return text


def describe_error(error: BaseException) -> Event:
    """Class and text of an exception."""
    return (type(error).__name__, same_wording(str(error)))


def plain_headers(headers: t.Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers in order. Werkzeug lists `Allow` in the order of a set, which no two runs share."""
    return [(name, ", ".join(sorted(value.split(", "))) if name == "Allow" else value) for name, value in headers]


def _describe_response(response: Response) -> Event:
    """Status and headers. The body shows on the wire: in Flask the page of an HTTP error is a stream until
    somebody reads it, in wsgi_core it is bytes from the start, and to look would make them the same."""
    return ("response", response.status, plain_headers(response.headers))


def plain(value: t.Any) -> t.Any:
    """`value` as something that can be compared across the frameworks; an odd object is its class's name."""
    if value is None or isinstance(value, (bool, int, str, bytes)):
        return value
    if isinstance(value, float):
        return repr(value)  # so that no number is itself
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
    """One side: the framework's module, the app made with it, and what was seen so far.

    `later` holds what views left to do after the response (copied contexts), `depth` how many requests
    are being served inside one another.
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
        """Run the steps of the function `name`; what each gave or raised is an event."""
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
        """What `action` returns, None if it raises; what it raised is an event either way."""
        try:
            return action()
        except BaseException as e:
            self.note(name, "escaped", describe_error(e))
            return None


class LogNotes(logging.Handler):
    """Notes what the current world's app logs: level, text, and the class of the error with it."""

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
