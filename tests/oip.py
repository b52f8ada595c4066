"""Models for the Open Inference Protocol's tests: one for each datatype, and some that are odd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

# ONNX's own numbers for the types.
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
    """A tensor of the shape [2, 3] with the type's least and greatest values, little-endian as this machine's."""
    types = {"BOOL": np.bool_, "BYTES": np.object_, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64}
    if datatype in types:
        return np.array(_EDGES[datatype], types[datatype]).reshape(2, 3)
    limits = np.iinfo(datatype.lower())
    return np.array([limits.min, limits.max, 0, 1, 2, 3], datatype.lower()).reshape(2, 3)


def identity(datatype: str, shape: list[Any], outputs: tuple[str, ...] = ("y",)) -> onnx.ModelProto:
    """A model whose outputs are its input `x`."""
    kind = ONNX_TYPES[datatype]
    return model(
        [helper.make_node("Identity", ["x"], [name]) for name in outputs],
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, shape) for name in outputs],
    )


def model(nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> onnx.ModelProto:
    """A model of these nodes, in versions of ONNX that every supported runtime reads."""
    graph = helper.make_graph(nodes, "demo", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def write_repository(folder: Path) -> Path:
    """A repository that no card describes.

    `echo_fp32` and its like: `x` of the shape [-1, -1] as `y`; `rows`: FP32 [-1, 3] in two versions; `twice`: INT64 as
    `y` and `z`; `pair`: `a` FP32 [2] and `b` BYTES [-1] as `c` and `d`; `scalar`: FP32 without dimensions; `root`: the
    square root.
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
    }
    for name, proto in models.items():
        path = folder / name / "model.onnx"
        path.parent.mkdir(parents=True)
        path.write_bytes(proto.SerializeToString())
    return folder
