"""Models for the tests of the Open Inference Protocol: one for each datatype, and some unusual models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

# The numbers of the types in ONNX.
ONNX_TYPES = {
    "FP32": 1, "UINT8": 2, "INT8": 3, "UINT16": 4, "INT16": 5, "INT32": 6, "INT64": 7, "BYTES": 8, "BOOL": 9,
    "FP16": 10, "FP64": 11, "UINT32": 12, "UINT64": 13,
}  # fmt: skip

_EDGES: dict[str, list[Any]] = {
    "BOOL": [True, False, True, True, False, False],
    "BYTES": ["", "a", "zwölf", "\N{GRINNING FACE}", "a\nb", '"\\'],
    "FP16": [0.0, -0.0, 65504.0, -1.5, 6e-08, 0.1],
    "FP32": [0.0, -0.0, 3.4028234663852886e38, -1.5, 1e-45, 0.1],
    "FP64": [0.0, -0.0, 1.7976931348623157e308, -1.5, 5e-324, 0.1],
}


def sample(datatype: str) -> NDArray[Any]:
    """Return a tensor of the shape [2, 3] with special values of the type, such as its limits, in native byte order."""
    types = {"BOOL": np.bool_, "BYTES": np.object_, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64}
    if datatype in types:
        return np.array(_EDGES[datatype], types[datatype]).reshape(2, 3)
    limits = np.iinfo(datatype.lower())
    return np.array([limits.min, limits.max, 0, 1, 2, 3], datatype.lower()).reshape(2, 3)


def identity(datatype: str, shape: list[Any], outputs: tuple[str, ...] = ("y",)) -> onnx.ModelProto:
    """Return a model whose outputs all equal its input `x`."""
    kind = ONNX_TYPES[datatype]
    return model(
        [helper.make_node("Identity", ["x"], [name]) for name in outputs],
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, shape) for name in outputs],
    )


def model(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], defaults: list[Any] | None = None
) -> onnx.ModelProto:
    """Return a model with these nodes, in versions of ONNX that every supported onnxruntime can load."""
    graph = helper.make_graph(nodes, "demo", inputs, outputs, defaults)
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 2)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _classes() -> onnx.ModelProto:
    """Return a model as sklearn-onnx exports a classifier by default: for each row, a map of probabilities."""
    node = helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_strings=["no", "yes"])
    row = helper.make_map_type_proto(8, helper.make_tensor_type_proto(1, None))
    output = helper.make_value_info("y", helper.make_sequence_type_proto(row))
    return model([node], [helper.make_tensor_value_info("x", 1, ["N", 2])], [output])


def write_repository(folder: Path) -> Path:
    """Write a repository of models without cards, and return its folder.

    `echo_fp32` and its like: `x` of the shape [-1, -1] as `y`; `rows`: FP32 [-1, 3] in two versions; `twice`: INT64 as
    `y` and `z`; `pair`: `a` FP32 [2] and `b` BYTES [-1] as `c` and `d`; `scalar`: FP32 without dimensions; `root`: the
    square root; `echo_bf16`: BF16 [-1]; `scaled`: `x` FP32 [-1] times `scale`, by default 2, as `y`; `classes`: `x`
    FP32 [-1, 2] as a map from the classes no and yes; `zeros`: as many zeros as `x` INT64 [1] says.
    """
    value = helper.make_tensor_value_info
    pair = model(
        [helper.make_node("Identity", ["a"], ["c"]), helper.make_node("Identity", ["b"], ["d"])],
        [value("a", 1, [2]), value("b", 8, ["N"])],
        [value("c", 1, [2]), value("d", 8, ["N"])],
    )
    root = model([helper.make_node("Sqrt", ["x"], ["y"])], [value("x", 1, ["N"])], [value("y", 1, ["N"])])
    models = {f"echo_{datatype.lower()}/1": identity(datatype, ["N", "M"]) for datatype in ONNX_TYPES} | {
        "rows/1": identity("FP32", ["N", 3]),
        "rows/2": identity("FP32", ["N", 3]),
        "twice/1": identity("INT64", ["N"], ("y", "z")),
        "pair/1": pair,
        "scalar/1": identity("FP32", []),
        "root/1": root,
        "echo_bf16/1": model(
            [helper.make_node("Identity", ["x"], ["y"])], [value("x", 16, ["N"])], [value("y", 16, ["N"])]
        ),
        "scaled/1": model(
            [helper.make_node("Mul", ["x", "scale"], ["y"])],
            [value("x", 1, ["N"]), value("scale", 1, [1])],
            [value("y", 1, ["N"])],
            [helper.make_tensor("scale", 1, [1], [2.0])],
        ),
        "classes/1": _classes(),
        "zeros/1": model(
            [helper.make_node("ConstantOfShape", ["x"], ["y"])], [value("x", 7, [1])], [value("y", 1, ["N"])]
        ),
    }
    for name, proto in models.items():
        path = folder / name / "model.onnx"
        path.parent.mkdir(parents=True)
        path.write_bytes(proto.SerializeToString())
    return folder
