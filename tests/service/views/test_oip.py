"""The views of the Open Inference Protocol: their status codes and headers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wsgi_core.shared.settings import Settings

INFER = {"inputs": [{"name": "features", "shape": [1, 5], "datatype": "FP32", "data": [5, 85.5, 430, 1, 1]}]}


@pytest.fixture
def client(create_app: Any) -> Any:
    return create_app().test_client()


def test_the_server_is_described(client: Any):
    assert set(client.get("/v2").get_json()) == {"name", "version", "extensions"}
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").status_code == 200


def test_a_model_is_described_ready_and_run(client: Any):
    assert client.get("/v2/models/churn").get_json()["name"] == "churn"
    assert client.get("/v2/models/churn/ready").status_code == 200
    response = client.post("/v2/models/churn/infer", json=INFER)
    assert response.status_code == 200
    assert response.get_json()["model_name"] == "churn"


def test_an_unknown_model_or_version_is_404(client: Any):
    for path in ("/v2/models/none", "/v2/models/churn/versions/99"):
        assert client.get(path).status_code == 404
        assert client.post(f"{path}/infer", json=INFER).status_code == 404


@pytest.mark.parametrize("action", ["/v2/repository/reload", "/v2/repository/models/churn/load"])
def test_models_are_changed_only_where_the_operator_allows_it(client: Any, action: str):
    response = client.post(action, json={})
    assert response.status_code == 403
    assert "model_control" in response.get_json()["error"]


def test_a_model_is_unloaded_and_loaded_again(create_app: Any):
    client = create_app(settings=Settings(model_control=True)).test_client()
    assert client.post("/v2/repository/models/churn/unload", json={}).status_code == 200
    assert client.get("/v2/models/churn").status_code == 404
    assert client.post("/v2/repository/models/churn/load", json={}).status_code == 200
    assert client.get("/v2/models/churn").status_code == 200


def test_a_large_response_is_compressed_if_the_client_accepts_it(client: Any):
    rows = 200
    body = {"inputs": [{**INFER["inputs"][0], "shape": [rows, 5], "data": [5, 85.5, 430, 1, 1] * rows}]}
    response = client.post("/v2/models/churn/infer", json=body, headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in client.post("/v2/models/churn/infer", json=body).headers


def test_another_content_type_is_415(client: Any):
    response = client.post("/v2/models/churn/infer", data=json.dumps(INFER), content_type="text/csv")
    assert response.status_code == 415
