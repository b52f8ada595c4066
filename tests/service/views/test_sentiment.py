"""The sentiment API of the tutorials, on each framework."""

from __future__ import annotations

import json
from typing import Any

import pytest


@pytest.fixture(params=["wsgi_core", "flask"])
def client(request: pytest.FixtureRequest, services: dict[str, Any]) -> Any:
    return services[request.param].test_client()


@pytest.mark.parametrize(
    ("text", "label"), [("I love it, wonderful!", "positive"), ("Awful. A waste of time.", "negative")]
)
def test_a_text_is_positive_or_negative(client: Any, text: str, label: str):
    answer = client.post("/sentiment", json={"text": text}).json
    assert answer.keys() == {"input", "prediction", "confidence_score", "backend"}
    assert (answer["input"], answer["prediction"], answer["backend"]) == (text, label, "onnxruntime")
    assert 0.5 <= answer["confidence_score"] <= 1


@pytest.mark.parametrize("payload", [{}, {"text": ""}, {"text": 3}, {"text": "x" * 5001}, [{"text": "x"}], None])
def test_what_is_no_text_is_422(client: Any, payload: Any):
    response = client.post("/sentiment", data=json.dumps(payload), content_type="application/json")
    assert response.status_code == 422
    assert len(response.json["fields"]) == 1
    assert response.json["error"].startswith("invalid input: ")


def test_no_json_is_no_text(client: Any):
    assert client.post("/sentiment", data="text=x").status_code == 415
    assert client.post("/sentiment", data="{", content_type="application/json").status_code == 400
