"""Raw tensors: the signature comes from the file, all datatypes work, and each mismatch has its own error message."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from wsgi_core.inference import InvalidTensors, Model, ModelError, ModelRepository, TensorSpec, v2
from wsgi_core.inference.tensors import NUMPY_TYPES, Unserved, read_spec

onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

# The numbers of the types in ONNX.
ONNX_TYPES = {
    "FP32": 1, "UINT8": 2, "INT8": 3, "UINT16": 4, "INT16": 5, "INT32": 6, "INT64": 7, "BYTES": 8, "BOOL": 9,
    "FP16": 10, "FP64": 11, "UINT32": 12, "UINT64": 13,
}  # fmt: skip


def build(
    path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], defaults: list[Any] | None = None
) -> Model:
    graph = helper.make_graph(nodes, "demo", inputs, outputs, defaults)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 2)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())
    return Model("demo", "1", path, None)


def tensor(name: str, datatype: str, shape: list[Any] | None) -> Any:
    return helper.make_tensor_value_info(name, ONNX_TYPES[datatype], shape)


@pytest.fixture
def echo(tmp_path: Path) -> Model:
    """A model with two inputs and two outputs: `x` equals `a` (FP32 [N, 3]), and `y` equals `b` (INT64 [2])."""
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
    **{
        name: np.array([[0, 1], [2, 100]]).astype(dtype)
        for name, dtype in NUMPY_TYPES.items()
        if name not in ("BYTES", "BF16")
    },
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
        with pytest.raises(InvalidTensors, match="input 'a' contains bytes that are not UTF-8"):
            model.infer({"a": np.array([bad], object)})


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        ({}, ["input 'a' is missing", "input 'b' is missing"]),
        ({"a": A}, ["input 'b' is missing"]),
        ({"a": A, "b": B, "c": A}, ["input 'c' is not an input of this model"]),
        ({"a": A, "c": B}, ["input 'c' is not an input", "input 'b' is missing"]),
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
    assert caught.value.fields == [{"field": "z", "message": "is not an output of this model"}]


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


# Parts that are not plain tensors


def zip_map(name: str, **labels: Any) -> Any:
    """Return the node and the output of a ZipMap, which sklearn-onnx exports for a classifier by default."""
    node = helper.make_node("ZipMap", ["a"], [name], domain="ai.onnx.ml", **labels)
    key = 8 if "classlabels_strings" in labels else 7
    kind = helper.make_sequence_type_proto(helper.make_map_type_proto(key, helper.make_tensor_type_proto(1, None)))
    return node, helper.make_value_info(name, kind)


@pytest.mark.parametrize(
    "labels", [{"classlabels_int64s": [-1, 7]}, {"classlabels_strings": ["no", "yes"]}], ids=["integers", "strings"]
)
def test_the_map_of_a_classifier_is_a_tensor_with_its_classes(tmp_path: Path, labels: dict[str, Any]) -> None:
    node, output = zip_map("probabilities", **labels)
    model = build(tmp_path / "model.onnx", [node], [tensor("a", "FP32", ["N", 2])], [output])
    (spec,) = model.outputs
    assert (spec.datatype, spec.shape, list(spec.labels)) == ("FP32", (-1, 2), next(iter(labels.values())))
    rows = np.array([[0.25, 0.75], [1, 0], [0, 1]], np.float32)
    np.testing.assert_array_equal(model.infer({"a": rows})["probabilities"], rows)
    assert model.infer({"a": rows[:0]})["probabilities"].shape == (0, 2)
    np.testing.assert_array_equal(model.run(rows), rows)
    assert model.unserved == []
    assert v2.model_metadata(model, ["1"])["outputs"][0]["parameters"] == {"labels": spec.labels}


def test_classes_that_the_first_run_does_not_tell_are_learned_later(tmp_path: Path) -> None:
    """The warm-up uses zeros, with which the Reshape fails, so the model is not warmed up."""
    node, output = zip_map("maps", classlabels_int64s=[0, 1])
    reshape = helper.make_node("Reshape", ["x", "shape"], ["a"])
    inputs = [tensor("x", "FP32", ["N"]), tensor("shape", "INT64", [2])]
    model = build(tmp_path / "model.onnx", [reshape, node], inputs, [output])
    assert (model.outputs[0].shape, model.outputs[0].labels) == ((-1, -1), ())
    feed = {"x": np.ones(4, np.float32), "shape": np.array([2, 2])}
    assert model.infer(feed)["maps"].shape == (2, 2)
    assert (model.outputs[0].shape, model.outputs[0].labels) == ((-1, 2), (0, 1))


BF16 = NUMPY_TYPES["BF16"]


def as_bf16(values: Any) -> Any:
    """Return the upper half of each float32, which is a bfloat16 (truncated, not rounded)."""
    return (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16).view(BF16)


def test_bfloat16_goes_in_and_comes_out_as_its_bits(tmp_path: Path) -> None:
    sides = [tensor("a", "FP32", ["N", 3]), helper.make_tensor_value_info("b", 16, ["N", 3])]
    nodes = [helper.make_node("Cast", ["a"], ["c"], to=16), helper.make_node("Cast", ["b"], ["d"], to=1)]
    outputs = [helper.make_tensor_value_info("c", 16, ["N", 3]), tensor("d", "FP32", ["N", 3])]
    model = build(tmp_path / "model.onnx", nodes, sides, outputs)
    assert [spec.datatype for spec in [*model.inputs, *model.outputs]] == ["FP32", "BF16", "BF16", "FP32"]
    values = np.array([[1, -2.5, 256]], np.float32)  # exact in bfloat16
    answers = model.infer({"a": values, "b": as_bf16(values)})
    assert answers["c"].dtype == BF16
    np.testing.assert_array_equal(answers["c"], as_bf16(values))
    np.testing.assert_array_equal(answers["d"], values)
    with pytest.raises(InvalidTensors, match="'b' must be BF16 of the shape"):
        model.infer({"a": values, "b": values})


SCALE = numpy_helper.from_array(np.array([2], np.float32), "scale")


def test_an_input_with_a_default_is_optional(tmp_path: Path) -> None:
    model = build(
        tmp_path / "model.onnx",
        [helper.make_node("Mul", ["a", "scale"], ["b"])],
        [tensor("a", "FP32", ["N"]), tensor("scale", "FP32", [1])],
        [tensor("b", "FP32", ["N"])],
        [SCALE],
    )
    assert [(spec.name, spec.optional) for spec in model.inputs] == [("a", False), ("scale", True)]
    ones = np.ones(3, np.float32)
    assert model.infer({"a": ones})["b"].tolist() == [2, 2, 2]
    assert model.infer({"scale": np.array([5], np.float32), "a": ones})["b"].tolist() == [5, 5, 5]
    assert model.infer({"a": ones})["b"].tolist() == [2, 2, 2]
    with pytest.raises(InvalidTensors, match=r"input 'a' is missing; input 'scale' must be FP32 of the shape \[1\]"):
        model.infer({"scale": ones})
    metadata = v2.model_metadata(model, ["1"])["inputs"]
    assert [tensor.get("parameters") for tensor in metadata] == [None, {"optional": True}]
    assert [tensor.get("optional") for tensor in v2.model_config(model)["input"]] == [None, True]


def test_a_model_with_nothing_but_defaults_is_served(tmp_path: Path) -> None:
    model = build(
        tmp_path / "model.onnx",
        [helper.make_node("Neg", ["scale"], ["b"])],
        [tensor("scale", "FP32", [1])],
        [tensor("b", "FP32", [1])],
        [SCALE],
    )
    assert model.infer({})["b"].tolist() == [-2]


def test_an_onnx_optional_may_have_no_value(tmp_path: Path) -> None:
    inner = helper.make_tensor_type_proto(1, ["N"])
    kind = helper.make_optional_type_proto(inner)
    model = build(
        tmp_path / "model.onnx",
        [
            helper.make_node("OptionalHasElement", ["maybe"], ["given"]),
            helper.make_node("Optional", [], ["nothing"], type=inner),
            helper.make_node("Optional", ["a"], ["something"]),
        ],
        [tensor("a", "FP32", ["N"]), helper.make_value_info("maybe", kind)],
        [
            tensor("given", "BOOL", []),
            helper.make_value_info("nothing", kind),
            helper.make_value_info("something", kind),
        ],
    )
    assert model.inputs[1].optional
    ones = np.ones(2, np.float32)
    answers = model.infer({"a": ones})
    assert answers.keys() == {"given", "something"}
    assert not answers["given"]
    assert answers["something"].tolist() == [1, 1]
    assert model.infer({"a": ones, "maybe": ones})["given"]


def sequence_of_floats(name: str) -> Any:
    return helper.make_tensor_sequence_value_info(name, 1, None)


FLOATS = helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, None))
UNSERVED = {
    "sequence": (helper.make_node("SplitToSequence", ["a"], ["b"]), sequence_of_floats("b"), "sequences"),
    "optional sequence": (
        helper.make_node("Optional", [], ["b"], type=FLOATS),
        helper.make_value_info("b", helper.make_optional_type_proto(FLOATS)),
        "sequences",
    ),
    "float8": (helper.make_node("Cast", ["a"], ["b"], to=17), helper.make_tensor_value_info("b", 17, None), "datatype"),
    "int4": (helper.make_node("Cast", ["a"], ["b"], to=22), helper.make_tensor_value_info("b", 22, None), "datatype"),
}  # fmt: skip


@pytest.mark.parametrize("datatype", [17, 22], ids=["float8", "int4"])
def test_a_model_whose_only_input_cannot_be_carried_is_refused_with_the_reason(tmp_path: Path, datatype: int) -> None:
    """Also if the input has a default and so is not required."""
    given = helper.make_tensor_value_info("a", datatype, [2])
    node = helper.make_node("Cast", ["a"], ["b"], to=1)
    defaults = [helper.make_tensor("a", datatype, [2], [0, 0])]
    for initializers in (defaults, []):
        with pytest.raises(ModelError, match=r"the input 'a' \(.*\) is not served"):
            build(tmp_path / "model.onnx", [node], [given], [tensor("b", "FP32", [2])], initializers)


@pytest.mark.parametrize("kind", UNSERVED)
def test_an_output_that_the_protocol_cannot_carry_is_named(tmp_path: Path, kind: str) -> None:
    node, output, reason = UNSERVED[kind]
    same = helper.make_node("Identity", ["a"], ["c"])
    sides = [tensor("a", "FP32", ["N"])], [output, tensor("c", "FP32", ["N"])]
    model = build(tmp_path / "model.onnx", [node, same], *sides)
    assert [spec.name for spec in model.outputs] == ["c"] == [model.output_name]
    assert list(model.infer({"a": np.ones(2, np.float32)})) == ["c"]
    (unserved,) = model.unserved
    assert (unserved.side, unserved.name) == ("output", "b")
    assert reason in unserved.reason
    assert unserved.type in model.warnings[0]
    assert v2.model_metadata(model, ["1"])["parameters"]["unserved"] == [unserved._asdict()]
    with pytest.raises(ModelError, match=r"the output 'b' \(.*\) is not served"):
        build(tmp_path / "other.onnx", [node], [sides[0][0]], [output])


class NodeArg(NamedTuple):
    """The metadata of an input or output, as onnxruntime has it."""

    name: str
    type: str
    shape: list[Any] = []


@pytest.mark.parametrize(
    ("onnx_type", "reason"),
    [
        ("sparse_tensor(float)", "sparse tensors"),
        ("map(int64,tensor(float))", "maps"),
        ("seq(map(string,tensor(int64)))", "sequences"),
        ("optional(seq(tensor(float)))", "sequences"),
        ("tensor(complex64)", "datatype"),
        ("tensor(float4e2m1)", "datatype"),
        ("opaque(a,b)", "datatype"),
    ],
)
def test_every_other_type_has_its_reason(onnx_type: str, reason: str) -> None:
    for side in ("input", "output"):
        found = read_spec(NodeArg("x", onnx_type), side)
        assert isinstance(found, Unserved)
        assert reason in found.reason


def test_an_input_of_a_type_that_cannot_be_sent_is_one_line(tmp_path: Path) -> None:
    node = helper.make_node("SequenceLength", ["a"], ["b"])
    with pytest.raises(ModelError, match=r"the input 'a' \(seq\(tensor\(float\)\)\) is not served"):
        build(tmp_path / "model.onnx", [node], [sequence_of_floats("a")], [tensor("b", "INT64", [])])
