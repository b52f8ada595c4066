"""The schemas of the Open Inference Protocol match the service's responses and the requests that it accepts."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from wsgi_core.inference import ModelRepository
from wsgi_core.shared.openapi import protocol
from wsgi_core.shared.openapi.operations import COMPONENTS as COMMON
from wsgi_core.shared.openapi.operations import JSON, OCTETS

TENSOR = {"name": "features", "shape": [1, 5], "datatype": "FP32", "data": [5, 85.5, 430, 1, 1]}


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Return a validator of a schema that may refer to the protocol's schemas."""
    return Draft202012Validator({**schema, "components": {"schemas": COMMON | protocol.COMPONENTS}})


def named(name: str) -> Draft202012Validator:
    return validator({"$ref": f"#/components/schemas/{name}"})


@pytest.mark.parametrize("name", protocol.COMPONENTS)
def test_each_schema_is_one(name: str):
    Draft202012Validator.check_schema(protocol.COMPONENTS[name])


@pytest.mark.parametrize(
    ("path", "name"),
    [("/v2/models/churn", "ModelMetadata"), ("/v2/models/churn/versions/1", "ModelMetadata"),
     ("/v2/models/stats", "Statistics"), ("/v2/models/churn/stats", "Statistics")],
)  # fmt: skip
def test_what_the_service_answers_is_valid(app: Any, path: str, name: str):
    response = app.test_client().get(path)
    assert response.status_code == 200
    named(name).validate(response.json)


def test_an_inference_is_valid_on_the_way_in_and_out(app: Any):
    sent = {"id": "mine", "inputs": [TENSOR], "outputs": [{"name": "probabilities"}]}
    named("InferRequest").validate(sent)
    response = app.test_client().post("/v2/models/churn/infer", json=sent)
    assert response.status_code == 200, response.text
    named("InferResponse").validate(response.json)


@pytest.mark.parametrize(
    "sent",
    [{}, {"inputs": []}, {"inputs": [{**TENSOR, "shape": [-1]}]}, {"inputs": [{**TENSOR, "datatype": "FP8"}]},
     {"inputs": [TENSOR], "outputs": [{}]}, {"inputs": [TENSOR], "id": 1}],
)  # fmt: skip
def test_what_the_schema_refuses_the_service_refuses_too(app: Any, sent: dict[str, Any]):
    assert not named("InferRequest").is_valid(sent)
    assert app.test_client().post("/v2/models/churn/infer", json=sent).status_code == 400


def test_the_index_is_valid(app: Any):
    (body,) = protocol.INDEX.body.values()
    validator(body).validate({"ready": True})
    response = app.test_client().post("/v2/repository/index", json={"ready": True})
    validator(protocol.INDEX.responses[200].content[JSON]).validate(response.json)
    assert {"churn", "digits"} <= {entry["name"] for entry in response.json}


def test_the_names_of_the_models_are_examples_and_bytes_are_taken():
    operation = protocol.infer_operation(ModelRepository())
    assert set(operation.parameters[0]["examples"]) == {"churn", "digits", "identity", "loan", "sentiment"}
    assert set(operation.body) == set(operation.responses[200].content) == {JSON, OCTETS}
