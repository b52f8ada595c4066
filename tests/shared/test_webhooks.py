"""A delivery is accepted once, if its signature is valid and, for signatures with a timestamp, recent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest, NotFound, Unauthorized

from tests.conformance.cases import GOOD, but
from wsgi_core.inference import ModelRepository
from wsgi_core.shared.jobs.store import Job
from wsgi_core.shared.settings import Settings
from wsgi_core.shared.settings.sources import ConfigurationError
from wsgi_core.shared.webhooks import PredictJob, delivery_id, open_jobs, read_delivery, sign

SECRET = b"It's a Secret to Everybody"
KEY = b"\x01 24 bytes of a secret \xff"
ENCODED = b"whsec_" + base64.b64encode(KEY)
SECRETS = {"crm": SecretStr(SECRET.decode()), "standard": SecretStr(ENCODED.decode())}


def read(headers: dict[str, str], body: bytes = b"x", source: str = "crm", tolerance: float = 300) -> Job:
    return read_delivery(SECRETS, source, Headers(headers), body, tolerance, lambda: None)


def github(body: bytes, secret: bytes = SECRET, **headers: str) -> dict[str, str]:
    return {"X-Hub-Signature-256": sign(secret, body), **headers}


def stripe(body: bytes, at: object = None, secret: bytes = SECRET) -> dict[str, str]:
    at = int(time.time()) if at is None else at
    mac = hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={mac},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"}


def standard(body: bytes, name: str = "msg_1", at: object = None, key: bytes = KEY) -> dict[str, str]:
    at = int(time.time()) if at is None else at
    mac = base64.b64encode(hmac.digest(key, f"{name}.{at}.".encode() + body, "sha256")).decode()
    return {"Webhook-Id": name, "Webhook-Timestamp": str(at), "Webhook-Signature": f"v1a,xyz v1,bm9uZQ== v1,{mac}"}


# Who has signed


def test_the_signature_is_the_one_that_github_documents():
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert sign(SECRET, b"Hello, World!") == signature
    assert read({"X-Hub-Signature-256": signature}, b"Hello, World!").source == "crm"


def test_the_signature_is_the_one_that_standard_webhooks_documents():
    """This is the example in the specification of Standard Webhooks."""
    secrets = {"svix": SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}
    headers = {
        "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "Webhook-Timestamp": "1614265330",
        "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = b'{"test": 2432232314}'
    tolerance = time.time() - 1614265330 + 60
    assert read_delivery(secrets, "svix", Headers(headers), body, tolerance, lambda: None).id == headers["Webhook-Id"]
    with pytest.raises(Unauthorized, match="too long ago"):
        read_delivery(secrets, "svix", Headers(headers), body, 300, lambda: None)


@pytest.mark.parametrize(("signed", "source"), [(github, "crm"), (stripe, "crm"), (standard, "standard")])
@given(data=st.data())
def test_any_change_of_a_signed_delivery_is_refused(
    signed: Callable[[bytes], dict[str, str]], source: str, data: st.DataObject
):
    headers = signed(b"x")
    assert read(headers, b"x", source).source == source
    # Not the parts of Stripe's header that are not signed: the signatures of other schemes, and spaces.
    name = data.draw(st.sampled_from([name for name in headers if "Signature" in name or "Webhook" in name]))
    value = headers[name]
    start = value.rindex("v1") if "v1" in value else 0
    end = value.rindex(",v0") if ",v0" in value else len(value)
    place = data.draw(st.integers(start, end))
    changed = value[:place] + data.draw(st.sampled_from("0aAzZ-é")) + value[place:]
    with pytest.raises((Unauthorized, BadRequest)):
        read({**headers, name: changed}, b"x", source)
    with pytest.raises(Unauthorized):
        read(headers, b"x" + data.draw(st.binary(min_size=1, max_size=3)), source)


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"X-Hub-Signature-256": ""}, {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": "sha1=" + "0" * 40}, {"X-Hub-Signature-256": "é"},
        {"X-Hub-Signature-256": "sha256=" + "☕" * 64}, github(b"x", b"other"), github(b"y"),
        {"Stripe-Signature": ""}, {"Stripe-Signature": "t=1,v1="}, {"Stripe-Signature": "," * 9999},
        stripe(b"x", "\N{ARABIC-INDIC DIGIT ONE}"),
        {"Stripe-Signature": stripe(b"x")["Stripe-Signature"].replace("v1=", "v0=")}, stripe(b"x", 0), stripe(b"x", ""),
        stripe(b"x", int(time.time()) - 301), stripe(b"x", int(time.time()) + 40_000), stripe(b"x", "9" * 400),
        {"Webhook-Signature": ""}, {"Webhook-Signature": "v1," * 999}, standard(b"x"), standard(b"x", at=-1),
        {**github(b"x"), "Stripe-Signature": "t=1,v1=00"},
    ],
    ids=lambda headers: "-".join(headers) or "none",
)  # fmt: skip
def test_a_delivery_that_is_not_signed_now_is_refused(headers: dict[str, str]):
    with pytest.raises(Unauthorized):
        read(headers)


def test_an_unknown_source_is_answered_as_a_wrong_signature_is():
    answers = []
    for source, headers in [("crm", {}), ("crm", github(b"y")), ("nobody", {}), ("nobody", github(b"x")), ("", {})]:
        with pytest.raises(Unauthorized) as refused:
            read(headers, source=source)
        answers.append((refused.value.description, refused.value.get_headers()))
    assert all(answer == answers[0] for answer in answers)
    with pytest.raises(NotFound):
        read_delivery({}, "crm", Headers(github(b"x")), b"x", 300, lambda: None)


def test_nothing_is_parsed_before_the_signature_is_right():
    def read_body() -> Any:
        raise AssertionError

    for headers in ({}, github(b"y"), stripe(b"x", 1)):
        with pytest.raises(Unauthorized):
            read_delivery(SECRETS, "crm", Headers(headers), b"x", 300, read_body)


# Which delivery it is


def test_a_captured_delivery_is_known_again_under_any_other_id():
    first = read(github(b"x", **{"X-Delivery-ID": "a"}))
    assert read(github(b"x", **{"X-Delivery-ID": "b"})).key == first.key
    assert read(github(b"x", **{"X-GitHub-Delivery": "c"})).key == first.key
    assert read(github(b"x")).key == first.key


def test_an_id_cannot_be_taken_in_advance_with_another_body():
    assert read(github(b"x", **{"X-Delivery-ID": "a"})).key != read(github(b"y", **{"X-Delivery-ID": "a"}), b"y").key


def test_a_sender_that_signs_again_at_another_time_sends_the_same_delivery():
    now = int(time.time())
    assert read(stripe(b"x", now)).key == read(stripe(b"x", now - 9)).key
    assert (
        read(standard(b"x", at=now), source="standard").key == read(standard(b"x", at=now - 9), source="standard").key
    )


def test_a_signed_id_makes_the_same_body_another_delivery():
    first, second = (read(standard(b"x", name), source="standard") for name in ("msg_1", "msg_2"))
    assert (first.id, second.id) == ("msg_1", "msg_2")
    assert first.key != second.key


def test_a_delivery_is_named_by_its_header_or_by_its_body():
    assert delivery_id(Headers({"X-GitHub-Delivery": "72d3162e-cc78-11e3"}), b"") == "72d3162e-cc78-11e3"
    assert delivery_id(Headers(), b"a") != delivery_id(Headers(), b"b")
    for bad in ("", "a b", "x" * 129, "é"):
        with pytest.raises(BadRequest):
            delivery_id(Headers([("X-Delivery-ID", bad)]), b"")


# What it asks for


def test_the_job_predicts_and_logs_nothing_of_the_payload(caplog: pytest.LogCaptureFixture):
    models = ModelRepository()
    work = PredictJob(models)
    payloads = {"a": GOOD, "b": [GOOD, but(tenure_months=70)], "c": "☕"}
    with caplog.at_level(logging.INFO, logger="wsgi_core.webhooks"):
        outcomes = [work(Job("key", "crm", name, payload, 0)) for name, payload in payloads.items()]
    assert [(outcome["source"], outcome["delivery"]) for outcome in outcomes] == [("crm", name) for name in "abc"]
    assert outcomes[0]["churn_probability"] == models.get("churn").predict(GOOD)["churn_probability"]
    assert len(outcomes[1]["predictions"]) == 2
    assert outcomes[2]["error"]
    assert [record.getMessage() for record in caplog.records] == [
        "webhook crm a: predicted", "webhook crm b: predicted", "webhook crm c: refused",
    ]  # fmt: skip
    assert PredictJob(models, "nope")(Job("key", "crm", "d", GOOD, 0))["error"]


def test_a_store_that_cannot_be_written_is_an_error_at_the_start(tmp_path: Any):
    secrets = {"crm": "0" * 16}
    for place in (str(tmp_path / "none" / "jobs"), str(tmp_path)):
        with pytest.raises(ConfigurationError, match=r"job_store: the job store"):
            open_jobs(Settings.model_validate({"job_store": place, "webhook_secrets": secrets}), ModelRepository())
