"""Raw tensors: the signature from the file, all datatypes, and every misfit refused in words of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wsgi_core.inference import InvalidTensors, Model, ModelError, ModelRepository, TensorSpec
from wsgi_core.inference.tensors import NUMPY_TYPES

onnx = pytest.importorskip("onnx")
helper = onnx.helper

# ONNX's own numbers for the types.
ONNX_TYPES = {
    "FP32": 1, "UINT8": 2, "INT8": 3, "UINT16": 4, "INT16": 5, "INT32": 6, "INT64": 7, "BYTES": 8, "BOOL": 9,
    "FP16": 10, "FP64": 11, "UINT32": 12, "UINT64": 13,
}  # fmt: skip


def build(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> Model:
    graph = helper.make_graph(nodes, "demo", inputs, outputs)
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 2)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    return Model("demo", "1", path, None)


def tensor(name: str, datatype: str, shape: list[Any] | None) -> Any:
    return helper.make_tensor_value_info(name, ONNX_TYPES[datatype], shape)


@pytest.fixture
def echo(tmp_path: Path) -> Model:
    """Two inputs, two outputs: `a` FP32 [N, 3] as `x`, `b` INT64 [2] as `y`."""
    return build(
        tmp_path / "model.onnx",
        [helper.make_node("Identity", ["a"], ["x"]), helper.make_node("Identity", ["b"], ["y"])],
        [tensor("a", "FP32", ["N", 3]), tensor("b", "INT64", [2])],
        [tensor("x", "FP32", ["N", 3]), tensor("y", "INT64", [2])],
    )


A, B = np.ones((1, 3), np.float32), np.array([4, 5])


def test_the_signature_is_the_files(echo: Model) -> None:
    assert echo.inputs == [
        TensorSpec("a", "FP32", (-1, 3), np.dtype(np.float32)),
        TensorSpec("b", "INT64", (2,), np.dtype(np.int64)),
    ]
    assert [(spec.name, spec.datatype, spec.shape) for spec in echo.outputs] == [
        ("x", "FP32", (-1, 3)),
        ("y", "INT64", (2,)),
    ]


def test_all_outputs_or_those_that_are_asked_for(echo: Model) -> None:
    assert list(echo.infer({"a": A, "b": B})) == ["x", "y"]
    assert list(echo.infer({"b": B, "a": A}, ["y"])) == ["y"]
    assert list(echo.infer({"a": A, "b": B}, [])) == ["x", "y"]
    answers = echo.infer({"a": A, "b": B}, ["y", "x"])
    np.testing.assert_array_equal(answers["y"], B)
    np.testing.assert_array_equal(answers["x"], A)


def test_a_committed_models_signature() -> None:
    churn = ModelRepository().get("churn")
    assert [(spec.name, spec.datatype, spec.shape) for spec in churn.inputs] == [("features", "FP32", (-1, 5))]
    assert [spec.datatype for spec in churn.outputs] == ["INT64", "FP32"]


SAMPLES: dict[str, Any] = {
    **{name: np.array([[0, 1], [2, 100]]).astype(dtype) for name, dtype in NUMPY_TYPES.items() if name != "BYTES"},
    "FP16": np.array([[0.5, -2], [np.inf, 1]], np.float16),
    "INT64": np.array([[-(2**63), 2**63 - 1]]),
    "UINT64": np.array([[0, 2**64 - 1]], np.uint64),
    "BYTES": np.array([["", "a"], ["é\0日本", "😀" * 100]], object),
}


@pytest.mark.parametrize("datatype", sorted(ONNX_TYPES))
def test_every_datatype_comes_back_as_it_went(tmp_path: Path, datatype: str) -> None:
    sides = [[tensor(name, datatype, ["N", "M"])] for name in "ab"]
    model = build(tmp_path / "model.onnx", [helper.make_node("Identity", ["a"], ["b"])], *sides)
    assert (model.inputs[0].datatype, model.inputs[0].dtype) == (datatype, NUMPY_TYPES[datatype])
    sample = SAMPLES[datatype]
    answer = model.infer({"a": sample})["b"]
    assert answer.dtype == sample.dtype
    np.testing.assert_array_equal(answer, sample)
    empty = sample[:0]
    assert model.infer({"a": empty})["b"].shape == empty.shape


def test_strings_may_come_as_bytes_and_come_back_as_text(tmp_path: Path) -> None:
    sides = [[tensor(name, "BYTES", ["N"])] for name in "ab"]
    model = build(tmp_path / "model.onnx", [helper.make_node("Identity", ["a"], ["b"])], *sides)
    assert model.infer({"a": np.array(["é".encode(), "x"], object)})["b"].tolist() == ["é", "x"]
    for bad in (b"\xff", "\ud800"):
        with pytest.raises(InvalidTensors, match="input 'a' holds bytes that are not UTF-8"):
            model.infer({"a": np.array([bad], object)})


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        ({}, ["input 'a' is missing", "input 'b' is missing"]),
        ({"a": A}, ["input 'b' is missing"]),
        ({"a": A, "b": B, "c": A}, ["input 'c' is no input of this model"]),
        ({"a": A, "c": B}, ["input 'c' is no input", "input 'b' is missing"]),
        ({"a": A.astype(np.float64), "b": B}, ["input 'a' must be FP32 of the shape [-1, 3], got FP64 of the shape"]),
        ({"a": A.astype(">f4"), "b": B}, ["input 'a' must be FP32"]),
        ({"a": A[0], "b": B}, ["got FP32 of the shape [3]"]),
        ({"a": A[:, :2], "b": B[:1]}, ["got FP32 of the shape [1, 2]", "'b' must be INT64 of the shape [2]"]),
        ({"a": A.astype(complex), "b": B.astype(str)}, ["got complex128", "'b' must be INT64"]),
    ],
)
def test_all_that_is_wrong_is_named(echo: Model, feed: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(InvalidTensors) as caught:
        echo.infer(feed)
    assert all(words in caught.value.message for words in said)
    assert {entry["field"] for entry in caught.value.fields} <= {"a", "b", "c"}


def test_an_unknown_output_is_named(echo: Model) -> None:
    with pytest.raises(InvalidTensors, match=r"demo/1 has no output 'z'; it has \['x', 'y'\]") as caught:
        echo.infer({"a": A, "b": B}, ["x", "z"])
    assert caught.value.fields == [{"field": "z", "message": "is no output of this model"}]


def test_what_the_model_itself_refuses_is_the_clients_fault_too(tmp_path: Path) -> None:
    model = build(
        tmp_path / "model.onnx",
        [helper.make_node("Gather", ["table", "at"], ["y"])],
        [tensor("table", "FP32", ["N"]), tensor("at", "INT64", ["M"])],
        [tensor("y", "FP32", ["M"])],
    )
    with pytest.raises(InvalidTensors) as caught:
        model.infer({"table": np.zeros(3, np.float32), "at": np.array([9])})
    assert "out of data bounds" in caught.value.message
    assert "ONNXRuntimeError" not in caught.value.message
    assert "/" not in caught.value.message.partition("demo/1")[2]


def test_an_input_without_a_shape_takes_any(tmp_path: Path) -> None:
    model = build(
        tmp_path / "model.onnx",
        [helper.make_node("Identity", ["a"], ["b"])],
        [tensor("a", "FP32", None)],
        [tensor("b", "FP32", None)],
    )
    assert model.infer({"a": np.ones((2, 3, 4), np.float32)})["b"].shape == (2, 3, 4)


def test_a_batch_beyond_the_cards_limit_is_refused() -> None:
    sentiment = ModelRepository().get("sentiment")
    assert sentiment.infer({"tokens": np.ones((1000, 1), np.int64)})["probabilities"].shape == (1000, 2)
    with pytest.raises(InvalidTensors, match="at most 1000 rows at once, got 1001"):
        sentiment.infer({"tokens": np.ones((1001, 1), np.int64)})


@pytest.mark.parametrize("ids", [[[20_001]], [[-20_002]]])
def test_token_ids_that_the_vocabulary_does_not_have_are_refused(ids: list[list[int]]) -> None:
    with pytest.raises(InvalidTensors, match="out of data bounds"):
        ModelRepository().get("sentiment").infer({"tokens": np.array(ids)})


def zip_map(name: str) -> Any:
    """The map that sklearn's classifiers export if nobody asks them not to."""
    node = helper.make_node("ZipMap", ["a"], [name], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
    kind = helper.make_sequence_type_proto(helper.make_map_type_proto(7, helper.make_tensor_type_proto(1, None)))
    return node, helper.make_value_info(name, kind)


def test_outputs_that_are_no_tensors_are_left_out(tmp_path: Path) -> None:
    node, output = zip_map("maps")
    same = helper.make_node("Identity", ["a"], ["b"])
    sides = [tensor("a", "FP32", ["N", 2])], [output, tensor("b", "FP32", ["N", 2])]
    model = build(tmp_path / "model.onnx", [node, same], *sides)
    assert [spec.name for spec in model.outputs] == ["b"] == [model.output_name]
    assert list(model.infer({"a": np.ones((1, 2), np.float32)})) == ["b"]
    with pytest.raises(ModelError, match="no output is a tensor; export it without ZipMap"):
        build(tmp_path / "other.onnx", [node], [sides[0][0]], [output])


def test_an_input_of_a_type_that_cannot_be_sent_is_one_line(tmp_path: Path) -> None:
    sequence = helper.make_tensor_sequence_value_info("a", 1, None)
    node = helper.make_node("SequenceLength", ["a"], ["b"])
    with pytest.raises(ModelError, match=r"the input 'a' is a seq\(tensor\(float\)\), which cannot be sent"):
        build(tmp_path / "model.onnx", [node], [sequence], [tensor("b", "INT64", [])])
