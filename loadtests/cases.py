"""The requests of each case. A case is one kind of request, such as a prediction or a path that does not exist."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from loadtests.instrument.request import CLIENT_HEADERS, Request, Row, json_request

# waitress and gunicorn set this variable; wsgiref's server does not. Without it, Werkzeug wraps the body's stream.
TERMINATED = "wsgi.input_terminated"


def requests_for(case: str, rows: Sequence[Row]) -> tuple[Request, ...]:
    """Return the requests of ``case``. Raises KeyError if the case is unknown.

    If the case requests predictions, there is one request for each row. Otherwise there is one request.
    """
    if case in ("predict", "not_terminated"):
        without = (TERMINATED,) if case == "not_terminated" else ()
        return tuple(json_request("/predict", row, without=without) for row in rows)
    if case == "tensor":
        return tuple(json_request("/v2/models/churn/infer", _tensor(row)) for row in rows)
    return (_SINGLE_CASES[case](),)


def _tensor(row: Row) -> dict[str, object]:
    """Return the JSON of an Open Inference Protocol request, with ``row`` as its input tensor."""
    values = list(row.values())
    tensor = {"name": "features", "shape": [1, len(values)], "datatype": "FP32", "data": values}
    return {"inputs": [tensor], "outputs": [{"name": "probabilities"}]}


def _large_body() -> Request:
    """Return a POST to /count with a JSON body of about 64 KiB: an object with a list of random floats."""
    numbers = random.Random(64)
    values: list[float] = []
    size = 0
    while size < 64 * 1024 - 32:
        values.append(round(numbers.uniform(-100, 100), 6))
        size += len(repr(values[-1])) + 2
    return json_request("/count", {"values": values})


def _session() -> Request:
    """Return a GET of /session with a signed session cookie (flask 3.1.3 sessions.py: SecureCookieSessionInterface)."""
    from loadtests.rungs.library import session_serializer

    cookie = session_serializer().dumps({"visits": 1})
    return Request("GET", "/session", (*CLIENT_HEADERS, ("Cookie", f"session={cookie!s}")))


_SINGLE_CASES: dict[str, Callable[[], Request]] = {
    "converter": lambda: Request("GET", "/v/1234"),
    "not_found": lambda: Request("GET", "/no/such/page", status=404),
    "json_error": lambda: Request("GET", "/refused", status=400),
    "body_64k": _large_body,
    "session": _session,
    "static_route": lambda: Request("GET", "/hello"),
}
