"""The log has one line for each record, whatever a client sends."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from wsgi_core.shared.observability import begin_request, observed_request
from wsgi_core.shared.observability.logs import JSONFormatter, TextFormatter, one_line

EVIL = "x\r\n2026-01-01 00:00:00,000 INFO root: forged\x1b[31m\x85\u2028\x00é"


def written(formatter: logging.Formatter, *args: Any, **how: Any) -> str:
    """Return what a logger with this formatter writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("wsgi_core.test")
    logger.addHandler(handler)
    logger.error(*args, **how)
    return stream.getvalue()


def test_control_characters_are_written_as_escapes():
    assert one_line(EVIL) == r"x\r\n2026-01-01 00:00:00,000 INFO root: forged\x1b[31m\x85\u2028\x00é"


@pytest.mark.parametrize("formatter", [TextFormatter(), JSONFormatter()])
def test_a_record_is_one_line(formatter: logging.Formatter):
    for args in ((EVIL,), ("%s", EVIL), ("%r", EVIL)):
        text = written(formatter, *args)
        assert text.splitlines() == [text.rstrip("\n")]
        assert "forged" in text


def test_the_lines_of_a_traceback_are_set_in():
    try:
        raise ValueError(EVIL)
    except ValueError:
        text = written(TextFormatter(), "failed", exc_info=True, stack_info=True)
    first, *rest = text.splitlines()
    assert first.endswith("ERROR wsgi_core.test: failed")
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_json_has_a_traceback_in_a_field():
    try:
        raise ValueError(EVIL)
    except ValueError:
        text = written(JSONFormatter(), "failed", exc_info=True)
    (line,) = text.splitlines()
    record = json.loads(line)
    assert record["message"] == "failed"
    assert record["level"] == "ERROR"
    assert record["logger"] == "wsgi_core.test"
    assert record["exception"].endswith(f"ValueError: {EVIL}")
    assert record["time"].endswith("+00:00")
    assert "request_id" not in record


def test_json_names_the_request_that_a_record_belongs_to():
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    begin_request({"REQUEST_METHOD": "GET", "HTTP_X_REQUEST_ID": "mine", "HTTP_TRACEPARENT": trace})
    observed = observed_request()
    assert observed is not None
    try:
        record = json.loads(written(JSONFormatter(), "within"))
    finally:
        observed.deactivate()
    assert (record["request_id"], record["traceparent"]) == ("mine", trace)
    assert "request_id" not in json.loads(written(JSONFormatter(), "after"))


def test_json_tells_of_a_request_in_fields():
    begin_request({"REQUEST_METHOD": "POST", "PATH_INFO": "/predict", "HTTP_X_REQUEST_ID": "mine"})
    observed = observed_request()
    assert observed is not None
    observed.times["infer"] = 0.0000123
    observed.set_response(200, "/predict")
    observed.deactivate()
    record = json.loads(written(JSONFormatter(), "line", extra={"request": observed}))
    assert {name: record[name] for name in ("method", "path", "route", "status", "phases_ms")} == {
        "method": "POST",
        "path": "/predict",
        "route": "/predict",
        "status": 200,
        "phases_ms": {"infer": 0.012},
    }
    assert record["duration_ms"] >= 0
