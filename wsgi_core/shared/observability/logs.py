"""The log on stderr, as lines for people or as JSON for programs; nothing that a client sends begins a line in it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from typing import Any

from .observation import Observation, observed_request

# What could end a line or steer a terminal: control characters, and Unicode's own line ends.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def one_line(text: str) -> str:
    """Return the text with every control character as the escape that Python writes for it."""
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], text)


class TextFormatter(logging.Formatter):
    """A record a line; the lines of a traceback below it are set in, so that none of them looks like a record."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return _set_in(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        return _set_in(super().formatStack(stack_info))


class JSONFormatter(logging.Formatter):
    """A record a JSON object in ASCII, on one line: time, level, logger, message, and what is known of the request.

    Of the request: request_id, traceparent; in the access log's lines method, path, route, status, duration_ms,
    phases_ms too. With a traceback: exception.
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


def wanted_level(access_log: bool) -> int:
    """Return the lowest level of records that are written; the access log has the level INFO."""
    return logging.INFO if access_log else logging.WARNING


def log_to_stderr(level: int, log_format: str) -> None:
    """Write the log of this process to stderr, as `text` or as `json`, unless the root logger has a handler already."""
    handler = logging.StreamHandler()
    handler.setFormatter(JSONFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler])


def log_to_handlers(handlers: Sequence[logging.Handler], level: int, log_format: str) -> None:
    """Write the log of this process to these handlers, as `text` or as `json`, in place of those that it had."""
    for handler in handlers:
        handler.setFormatter(JSONFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=handlers, force=True)


def rotating_file(path: str) -> logging.Handler:
    """Return a handler for a log file that is kept below a size: at 10 MiB it begins anew, and 8 old files stay."""
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
