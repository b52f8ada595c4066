"""If the head of a request is rejected, the whole request would get the same response."""

from __future__ import annotations

import io
import itertools
from typing import Any

import pytest

import flask_equiv.service
from tests.conformance import wire
from wsgi_core import service
from wsgi_core.shared.settings import Settings
from wsgi_core.shared.webhooks import sign

SETTINGS = {"api_key": "k" * 16, "trusted_hosts": ("localhost",), "webhook_secrets": {"crm": "s" * 16}}
KEY = {"X-API-Key": "k" * 16}
JSON = {"Content-Type": "application/json"}
SIGNED = {"X-Hub-Signature-256": sign(b"s" * 16, b"{}")}

PATHS = [
    "/predict", "/predict/stream", "/api/v1/predict", "/sentiment", "/digits", "/rag-chat", "/webhooks/crm",
    "/webhooks/other", "/v2/models/churn/infer", "/v2/repository/index", "/v2/repository/models/churn/unload", "/nope",
    "/predict/", "//predict", "/healthz",
]  # fmt: skip
HEADS = [
    {}, KEY, {**KEY, **JSON}, {**KEY, "Content-Type": "text/plain"}, {**KEY, "Content-Type": "application/x-ndjson"},
    {**KEY, **JSON, "Host": "evil.example"}, {**KEY, **JSON, "Content-Encoding": "br"}, SIGNED, {**SIGNED, **JSON},
    {**KEY, **JSON, "Origin": "https://evil.example"}, {**KEY, "Content-Type": "application/octet-stream"},
]  # fmt: skip


@pytest.fixture(scope="module", params=[service, flask_equiv.service], ids=["wsgi_core", "flask"])
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    store = {"job_store": str(tmp_path_factory.mktemp("jobs") / "jobs")}
    return request.param.create_app(settings=Settings.model_validate({**SETTINGS, **store}))


class Unread(io.BytesIO):
    """A body that must not be read."""

    def read(self, *args: Any) -> bytes:
        raise AssertionError("the body was read")

    readline = read  # type: ignore[assignment]


@pytest.mark.parametrize(("path", "method"), list(itertools.product(PATHS, ["POST", "GET", "PUT"])))
def test_the_judgement_is_the_response_that_the_whole_request_would_get(app: Any, path: str, method: str):
    refused = 0
    for head in HEADS:
        headers = {"Host": "localhost", **head}
        environ = wire.environ(method, path, headers, b"{}")
        judged = app.extensions["check_head"]({**environ, "wsgi.input": Unread()})
        whole = wire.call(app.wsgi_app, wire.environ(method, path, headers, b"{}")).comparable()
        if judged is None:
            # Only the body can show whether a signature is right.
            assert whole.code not in (401, 404, 405, 415) or (path.startswith("/webhooks/") and whole.code == 401), head
            continue
        refused += 1
        assert wire.call(judged, {**environ, "wsgi.input": Unread()}).comparable() == whole
        assert whole.code in (308, 400, 401, 403, 404, 405, 415)
    assert refused


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/v2/models/later", {"Content-Type": "text/plain"}),
        ("GET", "/v2/models/later/ready", {"Content-Encoding": "br"}),
        ("POST", "/v2/models/later/infer", {"Content-Type": "text/plain"}),
        ("POST", "/v2/models/later/infer", {**JSON, "Content-Encoding": "br"}),
        ("POST", "/v2/models/later/versions/1/infer", {"Content-Type": "text/plain"}),
    ],
)
def test_a_refusal_loads_no_model(
    app: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str, headers: dict[str, str]
):
    """The I/O thread sends this response, and must not load a model, which takes seconds."""
    models = app.extensions["models"]
    monkeypatch.setattr(models, "_on_demand", frozenset({"later"}))

    def load(name: str) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(models, "_load_pending", load)
    environ = wire.environ(method, path, {"Host": "localhost", **KEY, **headers}, b"{}")
    judged = app.extensions["check_head"]({**environ, "wsgi.input": Unread()})
    if method == "GET":
        assert judged is None, "a view for GET reads no body, so there is nothing to refuse"
    else:
        assert wire.call(judged, {**environ, "wsgi.input": Unread()}).code == 415
