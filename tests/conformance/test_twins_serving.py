"""Both twins handle deadlines, API keys, hosts and readiness in the same way."""

from __future__ import annotations

import base64
import importlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import wire
from tests.conformance.cases import GOOD, JSON
from tests.conformance.wire import Answer
from wsgi_core.shared.settings import Settings

KEY = "a key of sixteen characters"
MODULES = ("wsgi_core.service", "flask_equiv.service")


def make_both(**settings: Any) -> list[Any]:
    return [importlib.import_module(name).create_app(settings=Settings(**settings)) for name in MODULES]


def ask(apps: list[Any], method: str, path: str, body: bytes = b"", odd: Any = None, **headers: str) -> Answer:
    """Send a request to both services, check that the responses are equal, and return one. In header names, _ is -."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    core, twin = (wire.call(app, wire.environ(method, path, fields, body) | (odd or {})).comparable() for app in apps)
    assert core == twin
    return core


def predict(apps: list[Any], odd: Any = None, **headers: str) -> Answer:
    return ask(apps, "POST", "/predict", json.dumps(GOOD).encode(), odd, Content_Type=JSON, **headers)


@pytest.fixture(scope="module")
def apps() -> list[Any]:
    return make_both()


@pytest.fixture(scope="module")
def locked() -> list[Any]:
    return make_both(api_key=KEY)


# Deadlines


@pytest.mark.parametrize("seconds", ["1", "0.5", "30", "999999", "1.000001"])
def test_a_client_may_say_how_long_it_waits(apps: list[Any], seconds: str):
    assert predict(apps, X_Request_Timeout=seconds).code == 200


@pytest.mark.parametrize("seconds", ["", "0", "0.0", "-1", "1e3", "nan", "inf", "1s", "٣", " 1", "1,5", "9" * 30])
def test_what_is_no_number_of_seconds_is_400(apps: list[Any], seconds: str):
    answer = predict(apps, odd={"HTTP_X_REQUEST_TIMEOUT": seconds})
    assert answer.code == 400
    assert b"X-Request-Timeout" in answer.body


def test_when_its_time_is_over_a_request_is_504(apps: list[Any]):
    answer = predict(apps, odd={"wsgi_core.received": time.monotonic() - 31})
    assert answer.code == 504
    assert "time" in json.loads(answer.body)["error"]


def test_the_time_counts_from_where_the_server_had_the_request(apps: list[Any]):
    received = {"wsgi_core.received": time.monotonic() - 3}
    assert predict(apps, odd=received, X_Request_Timeout="2").code == 504
    assert predict(apps, odd=received, X_Request_Timeout="20").code == 200


def test_the_setting_bounds_what_a_client_asks_for():
    received = {"wsgi_core.received": time.monotonic() - 3}
    assert predict(make_both(request_timeout=2), odd=received, X_Request_Timeout="20").code == 504


def test_for_a_client_that_has_left_nothing_is_run(apps: list[Any]):
    answer = predict(apps, odd={"waitress.client_disconnected": lambda: True})
    assert answer.code == 499
    assert b"churn_probability" not in answer.body


# Readiness


def test_readiness_ends_with_the_stop_and_health_does_not():
    apps = make_both()
    assert ask(apps, "GET", "/readyz").body == b"ready"
    for app in apps:
        app.extensions["readiness"].stop()
    answer = ask(apps, "GET", "/readyz")
    assert answer.code == 503
    assert answer.header("Retry-After") == "1"
    assert json.loads(answer.body) == {"error": "The server is stopping"}
    assert ask(apps, "GET", "/healthz").code == 200


# Keys


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_key(locked: list[Any], path: str):
    assert ask(locked, "GET", path).code == 200


@pytest.mark.parametrize("headers", [{"X_API_Key": KEY}, {"Authorization": f"Bearer {KEY}"}], ids=["own", "bearer"])
def test_a_key_opens(locked: list[Any], headers: dict[str, str]):
    assert predict(locked, **headers).code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_API_Key": ""},
        {"X_API_Key": KEY[:-1]},
        {"X_API_Key": f"{KEY} "},
        {"X_API_Key": "\xe9" * 16},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer"},
        {"X_API_Key": "wrong", "Authorization": f"Bearer {KEY}"},
    ],
)
def test_without_the_key_everything_else_is_401(locked: list[Any], headers: dict[str, str]):
    for answer in (predict(locked, **headers), ask(locked, "GET", "/", **headers), ask(locked, "GET", "/x", **headers)):
        assert answer.code == 401
        schemes = [value.split()[0] for name, value in answer.headers if name.lower() == "www-authenticate"]
        assert schemes == ["Bearer", "Basic"]
        assert KEY.encode() not in answer.body


def basic(password: str, user: str = "") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_browser_asks_for_the_key_as_a_password(locked: list[Any]):
    for user in ("", "me", "ünknown"):
        assert ask(locked, "GET", "/docs", Authorization=basic(KEY, user)).code == 200
    for wrong in (basic(KEY[:-1]), basic("", KEY), "Basic", "Basic ?", "Basic é", "Basic YQ", "Basic YQ=="):
        assert ask(locked, "GET", "/docs", odd={"HTTP_AUTHORIZATION": wrong}).code == 401


def test_a_password_counts_only_for_pages_of_the_service(locked: list[Any]):
    password = {"Authorization": basic(KEY)}
    assert predict(locked, odd={"HTTP_HOST": "here:80"}, Origin="http://here:80", **password).code == 200
    for origin in ("http://elsewhere:80", "null", "", "here:80"):
        assert predict(locked, odd={"HTTP_HOST": "here:80", "HTTP_ORIGIN": origin}, **password).code == 401
    assert predict(locked, odd={"HTTP_HOST": "here:80"}, Origin="http://elsewhere", X_API_Key=KEY).code == 200


@pytest.mark.parametrize("path", ["/healthz/", "//healthz", "/healthz/../predict", "/HEALTHZ"])
def test_what_only_looks_like_health_needs_the_key(locked: list[Any], path: str):
    assert ask(locked, "GET", path).code == 401


def test_the_key_never_shows():
    assert KEY not in repr(Settings(api_key=KEY))


# Hosts


def test_every_host_is_answered_unless_some_are_named(apps: list[Any]):
    assert ask(apps, "GET", "/healthz", odd={"HTTP_HOST": "elsewhere.test"}).code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("api.test", 200), ("api.test:8080", 200), ("a.b.test", 200), ("evil.test", 400), ("api.test.evil", 400)],
)
def test_only_the_named_hosts_are_answered(host: str, status: int):
    apps = make_both(trusted_hosts=("api.test", ".b.test"))
    answer = ask(apps, "GET", "/v2", odd={"HTTP_HOST": host})
    assert answer.code == status
    assert status == 200 or "error" in json.loads(answer.body)


def test_a_model_folder_of_the_settings_is_served(tmp_path: Path):
    with pytest.raises(Exception, match=str(tmp_path.name)):
        make_both(models=tmp_path)
