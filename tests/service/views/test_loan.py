"""The loan API of the tutorials, on each framework: routes, shapes and statuses."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import flask_equiv.service
from wsgi_core import service
from wsgi_core.inference import default_models_dir

APPLICANT = {"age": 35, "income": 24000, "credit_score": 700, "employment_years": 4, "loan_amount": 6000}


@pytest.fixture(params=["wsgi_core", "flask"])
def client(request: pytest.FixtureRequest, services: dict[str, Any]) -> Any:
    return services[request.param].test_client()


@pytest.fixture(scope="module")
def without_loan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(default_models_dir() / "identity", folder / "identity")
    return folder


def test_an_applicant_is_approved_or_denied(client: Any):
    response = client.post("/api/v1/predict", json=APPLICANT)
    assert response.status_code == 200
    answer = response.json
    assert answer.keys() == {"prediction", "probability", "model_version", "timestamp"}
    assert (answer["prediction"], answer["model_version"]) == ("approved", "loan/1")
    assert 0.5 < answer["probability"] <= 1
    denied = client.post("/api/v1/predict", json={**APPLICANT, "income": 0, "credit_score": 300}).json
    assert denied["prediction"] == "denied"
    assert denied["probability"] < 0.5


def test_the_timestamp_is_utc(client: Any):
    when = datetime.fromisoformat(client.post("/api/v1/predict", json=APPLICANT).json["timestamp"])
    assert when.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - when) < timedelta(minutes=5)


def test_all_that_is_wrong_is_named(client: Any):
    response = client.post(
        "/api/v1/predict", json={"age": 17, "income": "24000", "credit_score": True, "loan_amount": 0}
    )
    assert response.status_code == 422
    assert response.json.keys() == {"errors"}
    errors = {error["field"]: error["message"] for error in response.json["errors"]}
    assert list(errors) == list(APPLICANT)
    assert errors["age"] == "must be a number from 18 to 120 (years), got 17"
    assert errors["employment_years"] == "is missing"


@pytest.mark.parametrize("payload", [None, [], [APPLICANT], "x", 3])
def test_what_is_no_object_is_422(client: Any, payload: Any):
    response = client.post("/api/v1/predict", data=json.dumps(payload), content_type="application/json")
    assert response.status_code == 422
    assert [error["field"] for error in response.json["errors"]] == ["body"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"", None), (b"{", "application/json"), (b"", "application/json"), (b"{}", "text/plain")],
)
def test_no_json_is_400(client: Any, body: bytes, content_type: str | None):
    response = client.post("/api/v1/predict", data=body, content_type=content_type)
    assert response.status_code == 400
    assert response.json["error"]


def test_a_row_with_the_mark_of_a_batch_is_a_row(client: Any):
    assert client.post("/api/v1/predict", json={**APPLICANT, "instances": []}).status_code == 200


def test_health_is_healthy_with_the_model(client: Any):
    response = client.get("/api/v1/health")
    assert response.status_code == 200
    assert response.json == {"status": "healthy", "model_loaded": True, "model_version": "loan/1"}


@pytest.mark.parametrize("module", [service, flask_equiv.service])
def test_without_the_model_it_is_503_and_degraded(module: Any, without_loan: Path):
    client = module.create_app(without_loan).test_client()
    assert client.get("/api/v1/health").json == {"status": "degraded", "model_loaded": False, "model_version": None}
    for payload in (APPLICANT, {}):
        response = client.post("/api/v1/predict", json=payload)
        assert response.status_code == 503
        assert response.json["error"] == "There is no model 'loan' with two classes"
    assert client.post("/sentiment", json={"text": "x"}).status_code == 404
