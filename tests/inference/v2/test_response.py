"""A response's body is JSON, followed by the tensors that were requested as bytes, in their order."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.oip import sample, write_repository
from wsgi_core.inference import Model, ModelRepository
from wsgi_core.inference.v2 import InvalidRequest
from wsgi_core.inference.v2.request import InferRequest
from wsgi_core.inference.v2.response import write_response


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return ModelRepository(write_repository(tmp_path_factory.mktemp("models"))).get("twice")


def asked(id: str | None = None, **outputs: bool) -> InferRequest:
    return InferRequest({}, outputs, id)


Y, Z = np.array([1, 2], np.int64), np.array([[3.5]], np.float32)


def test_json_has_the_outputs_in_the_order_of_the_request(model: Model) -> None:
    response = write_response(model, asked("mine", z=False, y=False), {"y": Y, "z": Z})
    assert response.json_length is None
    assert json.loads(response.body) == {
        "model_name": "twice",
        "model_version": "1",
        "id": "mine",
        "outputs": [
            {"name": "z", "shape": [1, 1], "datatype": "FP32", "data": [3.5]},
            {"name": "y", "shape": [2], "datatype": "INT64", "data": [1, 2]},
        ],
    }


@pytest.mark.parametrize(("id", "expected"), [(None, {}), ("", {"id": ""})])
def test_the_id_comes_back_only_if_one_was_sent(model: Model, id: str | None, expected: dict[str, str]) -> None:
    answer = json.loads(write_response(model, asked(id, y=False), {"y": Y}).body)
    assert {name: value for name, value in answer.items() if name == "id"} == expected


def test_outputs_as_bytes_follow_the_json_in_their_order(model: Model) -> None:
    response = write_response(model, asked(z=True, y=True), {"y": Y, "z": Z})
    assert response.body[response.json_length :] == Z.tobytes() + Y.tobytes()
    outputs = json.loads(response.body[: response.json_length])["outputs"]
    assert [output["parameters"]["binary_data_size"] for output in outputs] == [4, 16]
    assert all("data" not in output for output in outputs)


def test_json_and_bytes_may_be_mixed(model: Model) -> None:
    response = write_response(model, asked(y=False, z=True), {"y": Y, "z": Z})
    first, second = json.loads(response.body[: response.json_length])["outputs"]
    assert first["data"] == [1, 2]
    assert second["parameters"] == {"binary_data_size": len(response.body) - (response.json_length or 0)}


@pytest.mark.parametrize("datatype", ["BOOL", "BYTES", "INT8", "UINT64", "FP64", "FP32"])
def test_every_value_of_a_type_comes_back_from_json(model: Model, datatype: str) -> None:
    tensor = sample(datatype)
    (output,) = json.loads(write_response(model, asked(y=False), {"y": tensor}).body)["outputs"]
    assert (output["datatype"], output["shape"]) == (datatype, [2, 3])
    assert np.array(output["data"], tensor.dtype).reshape(2, 3).tolist() == tensor.tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_json_cannot_hold_is_refused_and_can_be_sent_as_bytes(model: Model, value: Any) -> None:
    tensor = np.array([value], np.float32)
    with pytest.raises(InvalidRequest, match="output 'y'"):
        write_response(model, asked(y=False), {"y": tensor})
    response = write_response(model, asked(y=True), {"y": tensor})
    assert response.body.endswith(tensor.tobytes())
