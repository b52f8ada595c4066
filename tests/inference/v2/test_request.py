"""Valid infer requests. The conformance tests send invalid requests to both twins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oip import identity, write_repository
from wsgi_core.inference import InvalidTensors, Model, ModelRepository
from wsgi_core.inference.v2 import InvalidRequest
from wsgi_core.inference.v2.request import read_infer_request


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ModelRepository:
    return ModelRepository(write_repository(tmp_path_factory.mktemp("models")))


def body(*inputs: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"inputs": inputs, **more}).encode()


ROW = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}


def test_all_outputs_as_json_unless_others_are_asked_for(models: ModelRepository) -> None:
    model = models.get("twice")
    row = {"name": "x", "shape": [1], "datatype": "INT64", "data": [1]}
    everything = read_infer_request(body(row), None, model)
    assert everything.outputs == {"y": False, "z": False}
    assert everything.id is None
    assert list(read_infer_request(body(row, outputs=[]), None, model).outputs) == ["y", "z"]
    assert read_infer_request(body(row, outputs=[{"name": "z"}], id=""), None, model).outputs == {"z": False}
    as_bytes = {"binary_data_output": True}
    assert read_infer_request(body(row, parameters=as_bytes), None, model).outputs == {"y": True, "z": True}


def test_null_stands_for_what_is_missing(models: ModelRepository) -> None:
    sent = body({**ROW, "parameters": None}, id=None, parameters=None, outputs=None)
    assert read_infer_request(sent, None, models.get("rows")).outputs == {"y": False}


def test_bytes_belong_to_the_inputs_in_their_order(models: ModelRepository) -> None:
    head = body(
        {"name": "b", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 6}},
        {"name": "a", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
    )
    raw = b"\2\0\0\0hi" + np.array([1, 2], "<f4").tobytes()
    feed = read_infer_request(head + raw, f" {len(head)}\t", models.get("pair")).feed
    assert feed["b"].tolist() == [b"hi"]
    assert feed["a"].tolist() == [1.0, 2.0]


def test_an_input_that_is_missing_is_the_models_to_name(models: ModelRepository) -> None:
    model = models.get("pair")
    asked = read_infer_request(body({"name": "a", "shape": [2], "datatype": "FP32", "data": [1, 2]}), None, model)
    with pytest.raises(InvalidTensors, match="'b' is missing"):
        model.infer(asked.feed)


def test_names_that_come_back_in_an_error_are_cut(models: ModelRepository) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_infer_request(body({**ROW, "name": "é" * 10_000}), None, models.get("rows"))
    assert len(refused.value.message) < 200


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        (["N", 3], 12, (1, 3)),
        (["N", "M"], 12, (1, 3)),
        ([2, "M"], 16, (2, 2)),
        ([3], 12, (3,)),
        (None, 12, (3,)),
        (["N", 0], 0, (0, 0)),
    ],
)
def test_the_shape_of_a_body_of_raw_bytes(
    tmp_path: Path, shape: list[Any], size: int, expected: tuple[int, ...]
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(identity("FP32", shape).SerializeToString())
    model = Model("demo", "1", path, None)
    assert read_infer_request(bytes(size), "0", model).feed["x"].shape == expected


def test_a_shape_that_is_open_in_two_places_needs_a_header(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(identity("FP32", [1, "N", "M"]).SerializeToString())
    with pytest.raises(InvalidRequest, match="too many dynamic dimensions"):
        read_infer_request(bytes(12), "0", Model("demo", "1", path, None))
