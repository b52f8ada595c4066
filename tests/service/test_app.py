"""Responses and errors of the service on each framework."""

from __future__ import annotations

import io
import json
import logging
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.test import create_environ

import flask_equiv.service
from tests.conformance import wire
from tests.conformance.cases import GOOD, but
from wsgi_core import service
from wsgi_core.inference import ModelError, OutOfMemory, default_models_dir


@pytest.fixture(params=["wsgi_core", "flask"])
def client(request: pytest.FixtureRequest, services: dict[str, Any]) -> Any:
    return services[request.param].test_client()


def test_one_customer_has_one_probability(client: Any):
    response = client.post("/predict", json=GOOD)
    assert response.status_code == 200
    assert response.json.keys() == {"churn_probability", "model_version"}
    assert response.json["model_version"] == "churn/1"
    assert 0 < response.json["churn_probability"] < 1


def test_several_customers_have_theirs_in_their_order(client: Any):
    rows = [GOOD, but(tenure_months=70, contract_month_to_month=0), GOOD]
    alone = [client.post("/predict", json=row).json["churn_probability"] for row in rows]
    for payload in (rows, {"instances": rows}):
        answer = client.post("/predict", json=payload).json
        assert answer.keys() == {"predictions", "model_version"}
        assert answer["predictions"] == pytest.approx(alone, abs=1e-6)


def test_a_batch_is_one_run_of_the_session(client: Any, monkeypatch: pytest.MonkeyPatch):
    model = client.application.extensions["models"].get("churn")
    runs: list[int] = []
    run = model.run
    monkeypatch.setattr(model, "run", lambda batch: runs.append(len(batch)) or run(batch))
    client.post("/predict", json=[GOOD] * 50)
    assert runs == [50]


def test_a_missing_feature_is_400_in_these_words(client: Any):
    response = client.post("/predict", json=but(tenure_months=...))
    assert response.status_code == 400
    assert response.json == {"error": "missing feature: tenure_months"}


def test_all_that_is_missing_is_named(client: Any):
    response = client.post("/predict", json={})
    assert response.status_code == 400
    for name in GOOD:
        assert name in response.json["error"]


def test_all_that_is_wrong_is_named_with_what_is_expected(client: Any):
    response = client.post("/predict", json=but(tenure_months=True, monthly_charges="12", has_fiber=None))
    assert response.status_code == 422
    for text in ("tenure_months must be a number from 0 to 120", "monthly_charges must be", "has_fiber must be 0 or 1"):
        assert text in response.json["error"]
    assert [field["field"] for field in response.json["fields"]] == ["tenure_months", "monthly_charges", "has_fiber"]


def test_what_is_no_json_is_told_where(client: Any):
    response = client.post("/predict", data=b'{"a": NaN}', content_type="application/json")
    assert response.status_code == 400
    assert "The body is not JSON" in response.json["error"]
    assert "NaN" in response.json["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/predict", 405), ("POST", "/", 405), ("GET", "/nope", 404), ("POST", "/predict", 415)],
)  # fmt: skip
def test_errors_are_json(client: Any, method: str, path: str, status: int):
    response = client.open(path, method=method)
    assert response.status_code == status
    assert response.mimetype == "application/json"
    assert response.json["error"]
    assert (status == 405) is ("Allow" in response.headers)


def test_healthz_says_ok(client: Any):
    response = client.get("/healthz")
    assert (response.status_code, response.text, response.mimetype) == (200, "ok", "text/plain")


def test_the_page_lists_routes_and_models(client: Any):
    response = client.get("/")
    assert response.mimetype == "text/html"
    for text in ("/predict", "/healthz", "POST", "churn/1", "identity/1", "curl http://localhost/predict"):
        assert text in response.text


def test_the_page_has_no_markup_of_the_clients(client: Any):
    for host in ("<script>alert(1)</script>", 'x"onload="y'):
        assert host not in client.get("/", headers={"Host": host}).text


# Hooks


def test_every_answer_carries_an_id_and_its_time(client: Any):
    ids = set()
    for path in ("/", "/healthz", "/nope", "/predict"):
        response = client.get(path)
        assert float(response.headers["X-Response-Time-ms"]) > 0
        ids.add(response.headers["X-Request-ID"])
    assert len(ids) == 4


def test_the_access_log_has_a_line_a_request(client: Any, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="wsgi_core.access"):
        client.get("/healthz", headers={"X-Request-ID": "mine"})
        client.get("/no\r\npe%0aé")
    lines = [record.getMessage() for record in caplog.records if record.name == "wsgi_core.access"]
    assert len(lines) == 2
    assert lines[0].startswith("GET /healthz 200 ")
    assert lines[0].endswith(" ms id=mine")
    assert "\n" not in lines[1]
    assert "\r" not in lines[1]
    assert " 404 " in lines[1]


def test_no_line_is_written_for_a_log_nobody_keeps(client: Any, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, logger="wsgi_core.access"):
        client.get("/healthz")
    assert not caplog.records


def test_an_error_nobody_thought_of_is_json_and_logged(client: Any, monkeypatch: pytest.MonkeyPatch):
    model = client.application.extensions["models"].get("churn")

    def fail(payload: object) -> Any:
        raise RuntimeError("no words for it")

    monkeypatch.setattr(model, "predict", fail)
    response = client.post("/predict", json=GOOD)
    assert response.status_code == 500
    assert response.mimetype == "application/json"
    assert "no words" not in response.text


@pytest.mark.parametrize(("error", "said"), [(OutOfMemory("send less"), "send less"), (MemoryError("0xff"), "out of")])
def test_a_request_without_enough_memory_is_told_to_come_again(
    client: Any, monkeypatch: pytest.MonkeyPatch, error: MemoryError, said: str
):
    model = client.application.extensions["models"].get("churn")

    def fail(payload: object) -> Any:
        raise error

    monkeypatch.setattr(model, "predict", fail)
    response = client.post("/predict", json=GOOD)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert response.json["error"].startswith(said)
    assert "0xff" not in response.text


# The factory


@pytest.mark.parametrize("module", [service, flask_equiv.service], ids=["wsgi_core", "flask"])
class TestCreateApp:
    """create_app with different model repositories."""

    def test_takes_a_folder(self, module: Any):
        app = module.create_app(default_models_dir())
        assert {model.id for model in app.extensions["models"].models} >= {"churn/1", "identity/1"}

    def test_refuses_a_folder_without_models(self, module: Any, tmp_path: Path):
        with pytest.raises(ModelError):
            module.create_app(tmp_path)

    def test_answers_404_where_the_model_is_not_there(self, module: Any, tmp_path: Path):
        shutil.copytree(default_models_dir() / "identity", tmp_path / "identity")
        answer = wire.call(
            module.create_app(tmp_path),
            wire.environ("POST", "/predict", {"Content-Type": "application/json"}, json.dumps(GOOD).encode()),
        )
        assert answer.code == 404
        assert "churn" in json.loads(answer.body)["error"]

    def test_has_no_static_route(self, module: Any):
        rules = {rule.rule for rule in module.create_app().url_map.iter_rules()}
        assert {"/", "/healthz", "/predict"} <= rules
        assert not [rule for rule in rules if rule.startswith("/static")]


@pytest.mark.parametrize("create_app", [service.create_app, flask_equiv.service.create_app], ids=["wsgi_core", "flask"])
def test_a_body_of_exactly_the_limit_is_not_asked_for_more(create_app: Any):
    class Bounded(io.BytesIO):
        """A server's raw stream. Reading beyond the declared length fails; with a real stream, it would block."""

        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert self.tell() + max(size, 0) <= limit, "read past the end"
            return super().read(size)

    app = create_app()
    limit = app.config["MAX_CONTENT_LENGTH"] = 64
    environ = app.test_request_context("/predict", method="POST", content_type="application/json").request.environ
    environ |= {"CONTENT_LENGTH": str(limit), "wsgi.input": Bounded(b" " * limit)}
    environ.pop("wsgi.input_terminated", None)
    statuses: list[str] = []
    b"".join(app(environ, lambda status, headers, exc_info=None: statuses.append(status)))
    assert statuses == ["400 BAD REQUEST"]


@pytest.mark.parametrize("module", [service, flask_equiv.service])
def test_models_that_were_built_are_served_when_they_are_asked_for(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("WSGI_CORE_CACHE", str(tmp_path))
    shutil.copytree(default_models_dir() / "identity", tmp_path / "models" / "minilm")
    (tmp_path / "models" / "minilm" / "card.json").unlink()
    client = module.create_app().test_client()
    index = {entry["name"]: entry for entry in client.post("/v2/repository/index").json}
    assert (index["minilm"]["state"], index["churn"]["state"]) == ("UNAVAILABLE", "READY")
    assert ">minilm<" in client.get("/").text
    assert client.get("/v2/models/minilm/ready").json == {"name": "minilm", "ready": True}
    assert ">minilm/1<" in client.get("/").text
    other = module.create_app(models=default_models_dir()).test_client()
    assert other.get("/v2/models/minilm").status_code == 404


@pytest.mark.parametrize("service", ["wsgi_core.service.app", "flask_equiv.service.app"])
@pytest.mark.parametrize("as_text", [False, True])
def test_a_body_above_the_limit_is_refused_also_as_text(service: str, as_text: bool):
    """In characters, the part that Werkzeug reads is shorter than the limit."""
    made = create_environ(method="POST", data="é" * 50)
    made |= {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    request = import_module(service).ServiceRequest(made)
    request.max_content_length = 10
    with pytest.raises(RequestEntityTooLarge):
        request.get_data(as_text=as_text)


@pytest.mark.parametrize("service", ["wsgi_core.service.app", "flask_equiv.service.app"])
@pytest.mark.parametrize("method", ["get_data", "get_json"])
def test_a_body_above_the_limit_is_refused_at_each_call(service: str, method: str):
    """The second call finds no further byte, and Werkzeug has cached the part up to the limit."""
    made = create_environ(method="POST", data=b'{"a": 1}   ', content_type="application/json")
    made |= {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    request = import_module(service).ServiceRequest(made)
    request.max_content_length = 10
    for _ in range(2):
        with pytest.raises(RequestEntityTooLarge):
            getattr(request, method)()
