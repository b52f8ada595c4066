"""Log formats: text lines for people, or JSON Lines for programs.

Control characters are escaped, so that data from a client cannot start a new line.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from typing import Any

from .observation import Observation, observed_request

# Characters that could end a line, control a terminal, or change the order in which a line is shown: control
# characters, Unicode's line separators, and its bidirectional controls.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def one_line(text: str) -> str:
    """Return the text with control characters and line separators replaced by Python escape sequences."""
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], text)


class TextFormatter(logging.Formatter):
    """A formatter that writes each record on one line. The lines of a traceback follow, and are indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return _set_in(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        return _set_in(super().formatStack(stack_info))


class JSONFormatter(logging.Formatter):
    """A formatter that writes each record as a JSON object in ASCII, on one line.

    Each object has the fields time, level, logger and message. During a request, the object also has request_id, and
    traceparent if the client sent a valid traceparent. Records of the access log also have method, path, route, status,
    duration_ms and phases_ms. A traceback is in the field exception.
    """

    def format(self, record: logging.LogRecord) -> str:
        ended: Observation | None = getattr(record, "request", None)
        observation = ended or observed_request()
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if observation is not None:
            fields["request_id"] = observation.request_id
            if observation.traceparent:
                fields["traceparent"] = observation.traceparent
        if ended is not None:
            fields |= _access_fields(ended)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def log_level(access_log: bool) -> int:
    """Return INFO if the access log is on, otherwise WARNING."""
    return logging.INFO if access_log else logging.WARNING


def log_to_stderr(level: int, log_format: str) -> None:
    """Write log records of `level` and above to stderr. `log_format` is `text` or `json`.

    If the root logger already has a handler, do nothing.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JSONFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler])


def log_to_handlers(handlers: Sequence[logging.Handler], level: int, log_format: str) -> None:
    """Write log records of `level` and above to `handlers`. `log_format` is `text` or `json`.

    All other handlers of the root logger are removed.
    """
    for handler in handlers:
        handler.setFormatter(JSONFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=handlers, force=True)


def rotating_file(path: str) -> logging.Handler:
    """Return a handler for a log file that is rotated at about 10 MiB. The handler keeps 8 old files."""
    return RotatingFileHandler(path, maxBytes=10 << 20, backupCount=8, encoding="utf-8")


def _access_fields(observation: Observation) -> dict[str, Any]:
    return {
        "method": observation.method,
        "path": observation.path,
        "route": observation.route,
        "status": observation.status,
        "duration_ms": _milliseconds(observation.elapsed),
        "phases_ms": {name: _milliseconds(seconds) for name, seconds in observation.times.items()},
    }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _set_in(text: str) -> str:
    return "\n".join(f"    {one_line(line)}" for line in text.splitlines())
