"""The requests that are sent to both services, valid, invalid and unusual, and the status that each must get."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
GOOD: dict[str, Any] = {
    "tenure_months": 5,
    "monthly_charges": 85.5,
    "total_charges": 430,
    "contract_month_to_month": 1,
    "has_fiber": 1,
}
MAX_CONTENT_LENGTH = 4 << 20


@dataclass(frozen=True)
class Case:
    """A syntactically valid HTTP request, and the expected status of its response."""

    name: str
    status: int
    method: str = "POST"
    path: str = "/predict"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    says: Sequence[str] = ()
    """Texts that the response must contain."""


def post(name: str, status: int, payload: Any, *says: str) -> Case:
    """Return a POST to ``/predict``. ``payload`` is sent unchanged if it is bytes, otherwise as JSON."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Case(name, status, body=body, headers={"Content-Type": JSON}, says=says)


def typed(name: str, status: int, content_type: str | None) -> Case:
    """Return a POST of the valid body with ``content_type``, or without Content-Type if that is None."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    return Case(name, status, body=json.dumps(GOOD).encode(), headers=headers)


def but(**changes: Any) -> dict[str, Any]:
    """Return the valid object with other values. A feature with the value ``...`` is omitted."""
    return {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}


PREDICTIONS = [
    post("one object", 200, GOOD, '"churn_probability":0.', '"model_version":"churn/1"'),
    post("floats for integers", 200, but(tenure_months=5.0, has_fiber=1.0)),
    post("keys it does not know", 200, but(customer="7590-VHVEG", more={"a": [None]})),
    post("keys in another order", 200, dict(reversed(GOOD.items()))),
    post("the smallest values", 200, dict.fromkeys(GOOD, 0)),
    post("negative zero", 200, but(tenure_months=-0.0)),
    post("the largest values", 200, but(tenure_months=120, monthly_charges=200, total_charges=24000)),
    post("a list of one", 200, [GOOD], '"predictions":[0.'),
    post("a list of two", 200, [GOOD, but(tenure_months=70)], '"predictions":['),
    post("instances", 200, {"instances": [GOOD, GOOD]}, '"predictions":[', '"model_version":"churn/1"'),
    post("instances and other keys", 200, {"instances": [GOOD], "parameters": {}}),
    post("a thousand rows", 200, [GOOD] * 1000),
    post("ten thousand rows", 200, b"[" + b",".join([json.dumps(GOOD).encode()] * 10_000) + b"]"),
    post("white space around", 200, b" \r\n\t" + json.dumps(GOOD).encode() + b"\n "),
    post("escaped names", 200, json.dumps(GOOD).replace("tenure", "\\u0074enure").encode()),
    post("a name twice, the last good", 200, b'{"has_fiber": "no", ' + json.dumps(GOOD).encode()[1:]),
    post("exponents", 200, json.dumps(GOOD).replace("85.5", "8.55e1").encode()),
    post("a denormal", 200, but(total_charges=5e-324)),
    post("text of all kinds in an unknown key", 200, but(note="\u00e9\u4e16\U0001f600\u0000\u2028")),
]
MISSING = [
    post("one missing", 400, but(tenure_months=...), '{"error":"missing feature: tenure_months"}\n'),
    post(
        "several missing", 400, but(tenure_months=..., has_fiber=...),
        '{"error":"missing features: tenure_months, has_fiber"}\n',
    ),
    post("an empty object", 400, {}, "tenure_months", "total_charges", "has_fiber"),
    post("missing in the second row", 400, [GOOD, but(has_fiber=...)], "[1].has_fiber"),
    post("missing in an instance", 400, {"instances": [but(has_fiber=...)]}, "instances[0].has_fiber"),
    post("missing and wrong: missing first", 400, but(tenure_months=..., has_fiber="x"), "missing feature: "),
    post("names with other capitals", 400, {key.upper(): value for key, value in GOOD.items()}),
]  # fmt: skip
INVALID = [
    post("true for a number", 422, but(tenure_months=True), "tenure_months", "from 0 to 120", "got true"),
    post("text for a number", 422, but(tenure_months="12"), "tenure_months", "from 0 to 120", "got a string"),
    post("null for a number", 422, but(tenure_months=None), "tenure_months", "got null"),
    post("a list for a number", 422, but(tenure_months=[12]), "got a list"),
    post("an object for a number", 422, but(tenure_months={"value": 12}), "got an object"),
    post("arabic digits in text", 422, but(tenure_months="\u0661\u0662")),
    post("below the range", 422, but(tenure_months=-1), "got -1"),
    post("above the range", 422, but(tenure_months=120.001), "got 120.001"),
    post("not among the choices", 422, but(has_fiber=0.5), "has_fiber must be 0 or 1, got 0.5"),
    post("a boolean for a flag", 422, but(has_fiber=True), "got true"),
    post("too large for a float", 422, json.dumps(but(total_charges=0)).replace(": 0,", ": 1e400,").encode()),
    post("too large for a float, negative", 422, json.dumps(GOOD).replace("430", "-1e400").encode()),
    post("an integer of 400 digits", 422, json.dumps(GOOD).replace("430", "9" * 400).encode()),
    post("several wrong", 422, but(tenure_months=True, monthly_charges=-1, has_fiber=2),
         "invalid features: tenure_months", "monthly_charges", "has_fiber must be 0 or 1"),
    post("wrong in the third row", 422, [GOOD, GOOD, but(has_fiber=None)], "[2].has_fiber"),
    post("a thousand wrong rows", 422, [but(has_fiber=None)] * 1000, "and 900 more"),
]  # fmt: skip
NO_ROWS = [
    post("a number", 400, 12),
    post("text", 400, "tenure_months"),
    post("true", 400, True),
    post("null", 400, None),
    post("an empty list", 400, []),
    post("a list of numbers", 400, [1, 2, 3, 4, 5]),
    post("a list in a list", 400, [[GOOD]]),
    post("instances that are no list", 400, {"instances": GOOD}),
    post("instances that are null", 400, {"instances": None}),
    post("no instances", 400, {"instances": []}),
    post("instances in instances", 400, {"instances": [{"instances": [GOOD]}]}),
    post("too many rows", 400, b"[" + b"{}," * 10_000 + b"{}]", "10000"),
]
NO_JSON = [
    post("an empty body", 400, b""),
    post("white space", 400, b"   "),
    post("NaN", 400, json.dumps(GOOD).replace("430", "NaN").encode(), "NaN"),
    post("Infinity", 400, json.dumps(GOOD).replace("430", "Infinity").encode(), "Infinity"),
    post("-Infinity", 400, json.dumps(GOOD).replace("430", "-Infinity").encode()),
    post("cut off", 400, json.dumps(GOOD).encode()[:-1]),
    post("something behind", 400, json.dumps(GOOD).encode() + b"x"),
    post("two values", 400, b"{}{}"),
    post("a comma too many", 400, b'{"has_fiber": 1,}'),
    post("single quotes", 400, b"{'has_fiber': 1}"),
    post("a comment", 400, b"{} // nothing"),
    post("hexadecimal", 400, b"[0x10]"),
    post("a leading zero", 400, b"[012]"),
    post("a control character", 400, b'["\x01"]'),
    post("nested 65 deep", 400, b"[" * 65 + b"]" * 65, "64"),
    post("nested 100,000 deep", 400, b"[" * 100_000 + b"]" * 100_000),
    post("opened 100,000 times", 400, b'{"a":' * 100_000),
    post("an integer of 5,000 digits", 400, json.dumps(GOOD).replace("430", "9" * 5000).encode()),
    post("no UTF-8", 400, b'{"\xff": 1}', "UTF-8"),
    post("overlong UTF-8", 400, b'["\xc0\xaf"]'),
    post("a surrogate in UTF-8", 400, b'["\xed\xa0\x80"]'),
    post("half a surrogate pair", 400, b'["\\ud800"]', "surrogate"),
    post("UTF-16", 400, json.dumps(GOOD).encode("utf-16")),
    post("UTF-16 without a mark", 400, json.dumps(GOOD).encode("utf-16-le")),
    post("UTF-32", 400, json.dumps(GOOD).encode("utf-32")),
    post("a byte order mark", 400, json.dumps(GOOD).encode("utf-8-sig")),
    post("a zero byte", 400, b"\0"),
    post("a form under JSON's name", 400, b"tenure_months=5&has_fiber=1"),
    post("markup", 400, b"<script>alert(1)</script>"),
]
TYPES = [
    typed("a charset", 200, "application/json; charset=utf-8"),
    typed("a JSON type", 200, "application/vnd.api+json"),
    typed("capitals", 200, "Application/JSON"),
    typed("a parameter", 200, 'application/json; profile="a;b"'),
    typed("no content type", 415, None),
    typed("an empty content type", 415, ""),
    typed("a form", 415, "application/x-www-form-urlencoded"),
    typed("an upload", 415, "multipart/form-data; boundary=x"),
    typed("an upload without boundary", 415, "multipart/form-data"),
    typed("plain text", 415, "text/plain"),
    typed("a list of types", 415, "application/jsonp"),
    typed("nonsense", 415, ";;;=\xe9"),
]
SIZES = [
    post("as large as it may be", 200, json.dumps(GOOD).encode().ljust(MAX_CONTENT_LENGTH)),
    post("one byte too large", 413, json.dumps(GOOD).encode().ljust(MAX_CONTENT_LENGTH + 1)),
    post("more than one read", 200, json.dumps(GOOD).encode().ljust((1 << 20) + 1)),
    Case("too large and of another type", 415, body=b"x" * (MAX_CONTENT_LENGTH + 1)),
]
ROUTES = [
    Case("healthz", 200, "GET", "/healthz", says=["ok"]),
    Case("healthz, head", 200, "HEAD", "/healthz"),
    Case("the page", 200, "GET", "/", says=["<!doctype html>", "/predict", "/healthz", "churn/1"]),
    Case("the page, head", 200, "HEAD", "/"),
    Case("the page, a query", 200, "GET", "/?a=<script>&a=%ff"),
    Case("a query", 200, "GET", "/healthz?full=%00%ff&x"),
    Case("options", 200, "OPTIONS", "/predict"),
    Case("options of the page", 200, "OPTIONS", "/"),
    *(Case(f"{method} /predict", 405, method) for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE")),
    Case("a method nobody knows", 405, "BREW"),
    Case("a method of odd characters", 405, "M-SEARCH!"),
    *(Case(f"{method} /healthz", 405, method, "/healthz") for method in ("POST", "DELETE")),
    Case("post to the page", 405, "POST", "/", says=['"error"']),
    Case("no such path", 404, "GET", "/nope"),
    Case("no such path, post", 404, "POST", "/nope", b"{}", {"Content-Type": JSON}),
    Case("a trailing slash", 404, path="/predict/"),
    Case("capitals in the path", 404, path="/Predict"),
    Case("below the route", 404, "GET", "/predict/churn"),
    Case("a static file", 404, "GET", "/static/style.css"),
    Case("slashes in the path", 404, "GET", "/healthz//x"),
    Case("a dot in the path", 404, "GET", "/./healthz"),
    Case("escaped slashes", 404, "GET", "/..%2f..%2fetc%2fpasswd"),
    Case("escaped line ends", 404, "GET", "/%0d%0aSet-Cookie:%20a=1"),
    Case("a zero byte in the path", 404, "GET", "/healthz%00"),
    Case("no UTF-8 in the path", 404, "GET", "/%ff%fe"),
    Case("text in the path", 404, "GET", "/%C3%A9%F0%9F%98%80"),
    Case("a path escaped where it need not be", 200, "GET", "/%68ealthz"),
    Case("a percent sign", 404, "GET", "/%zz"),
    Case("a long path", 404, "GET", "/" + "a" * 5000),
]
HEADERS = [
    Case("a request id", 200, "GET", "/healthz", headers={"X-Request-ID": "order-66/7"}),
    Case("a request id of odd characters", 200, "GET", "/healthz", headers={"X-Request-ID": "a b<script>"}),
    Case("an empty request id", 200, "GET", "/healthz", headers={"X-Request-ID": ""}),
    Case("a long request id", 200, "GET", "/healthz", headers={"X-Request-ID": "a" * 129}),
    Case("a method in a header", 405, "GET", headers={"X-HTTP-Method-Override": "POST"}),
    Case("a forwarded host", 200, "GET", "/", headers={"X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https"}),
    Case("a session cookie", 200, "GET", "/healthz", headers={"Cookie": "session=eyJhIjoxfQ.a.b; a=1; =; ;"}),
    Case("broken cookies", 200, "GET", "/healthz", headers={"Cookie": '\xff="\\777";;=,'}),
    Case("accepts markup alone", 404, "GET", "/nope", headers={"Accept": "text/html"}),
    Case("a range", 200, "GET", "/healthz", headers={"Range": "bytes=0-0"}),
    Case("if none match", 200, "GET", "/healthz", headers={"If-None-Match": "*"}),
    Case("websocket", 400, "GET", "/healthz", headers={"Upgrade": "websocket", "Connection": "upgrade"}),
    Case("upgrade to something else", 200, "GET", "/healthz", headers={"Upgrade": "h2c", "Connection": "upgrade"}),
    Case("authorization", 200, "GET", "/healthz", headers={"Authorization": "Basic !!!"}),
]  # fmt: skip

CASES = [*PREDICTIONS, *MISSING, *INVALID, *NO_ROWS, *NO_JSON, *TYPES, *SIZES, *ROUTES, *HEADERS]
