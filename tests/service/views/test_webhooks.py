"""Signed deliveries are accepted on each framework, and processed before the service is closed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flask_equiv.service
from tests.conformance.cases import GOOD
from wsgi_core import service
from wsgi_core.shared.settings import Settings
from wsgi_core.shared.webhooks import sign

SECRET = "0123456789abcdef"
BODY = json.dumps(GOOD).encode()


@pytest.fixture(params=[service, flask_equiv.service], ids=["wsgi_core", "flask"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    settings = Settings.model_validate(
        {"webhook_secrets": {"crm": SECRET}, "webhook_results": tmp_path / "results.jsonl", "api_key": "k" * 16}
    )
    made = request.param.create_app(settings=settings)
    yield made
    assert made.extensions["jobs"].close(10)


def send(app: Any, body: bytes = BODY, source: str = "crm", signature: str | None = None, **headers: str) -> Any:
    signature = sign(SECRET.encode(), body) if signature is None else signature
    return app.test_client().post(
        f"/webhooks/{source}", data=body, headers={"X-Hub-Signature-256": signature, **headers}
    )


def test_what_is_accepted_is_done_once(app: Any, tmp_path: Path):
    deliveries = [(BODY, "a"), (BODY + b" ", "b"), (BODY, "a"), (BODY, "c")]
    statuses = [send(app, body, **{"X-Delivery-ID": name}) for body, name in deliveries]
    assert [response.status_code for response in statuses] == [202] * 4
    assert [response.json["status"] for response in statuses] == ["accepted", "accepted", "duplicate", "duplicate"]
    assert app.extensions["jobs"].close(10)
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["source"], line["delivery"]) for line in lines] == [("crm", "a"), ("crm", "b")]
    assert 0 < lines[0]["churn_probability"] < 1


def test_without_a_name_the_same_body_is_the_same_delivery(app: Any):
    assert [send(app).json["status"] for _ in range(2)] == ["accepted", "duplicate"]
    assert send(app, BODY + b" ").json["status"] == "accepted"


@pytest.mark.parametrize("signature", ["", "sha256=00", sign(b"other", BODY), "\xe9"])
def test_what_is_not_signed_is_401(app: Any, signature: str):
    response = send(app, signature=signature)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Hmac-Sha256 header=X-Hub-Signature-256"
    assert send(app, b"no json", signature=signature).status_code == 401


def test_an_unknown_source_is_answered_as_an_unsigned_delivery_is(app: Any):
    answers = [send(app, source="github"), send(app, signature="sha256=00"), send(app, b"{", "x", "")]
    assert [answer.status_code for answer in answers] == [401] * 3
    assert len({answer.data for answer in answers}) == 1


def test_a_signed_body_that_is_not_json_is_400(app: Any):
    for body in (b"", b"{", b"\xff", b"[" * 1000):
        assert send(app, body).status_code == 400
    assert send(app, **{"X-Delivery-ID": "a b"}).status_code == 400


def test_a_stopping_queue_says_when_to_come_again(app: Any):
    app.extensions["jobs"].close(10)
    response = send(app)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert response.json["error"]


def test_a_store_that_cannot_be_written_is_503_and_no_202(app: Any, tmp_path: Path):
    send(app)
    app.extensions["jobs"].drain(10)
    app.extensions["jobs"].store._tables["jobs"].conn.execute(
        "pragma query_only = on"
    )  # as if the file system had become read-only
    assert send(app, BODY + b" ").status_code == 503
    app.extensions["jobs"].store._tables["jobs"].conn.execute("pragma query_only = off")
    assert send(app, BODY + b" ").json["status"] == "accepted"


def test_without_secrets_there_is_no_webhook():
    client = service.create_app().test_client()
    assert client.post("/webhooks/crm", data=b"{}").status_code == 404
