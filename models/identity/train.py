"""Build the model `identity`, whose single Identity node returns the input, float[N, M]. Nothing is learned.

    python models/identity/train.py [--out DIR]

A request to this model measures what a request costs without the work of a model. The script needs the package `onnx`
(extra `.[train]`).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from onnx import ModelProto, TensorProto, checker, helper

HERE = Path(__file__).resolve().parent
VERSION = "1"
OPSET = 15
IR_VERSION = 8  # the oldest version for this opset, so that older runtimes can read the file
WIDTH = 5  # the number of features of the churn model, so that requests for both models have the same size


def make_graph() -> ModelProto:
    """Return the graph: the input `x` float[N, M], one Identity node, and the output `y` float[N, M]."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "M"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", "M"])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", [x], [y])
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="wsgi_core")


def make_card() -> dict[str, Any]:
    """Return the content of card.json. A row is five numbers without limits."""
    return {
        "name": "identity",
        "description": "The null model: returns its input. The graph itself accepts rows of any width.",
        "input": {"tensor": "x"},
        "features": [
            {
                "name": f"x{number}",
                "description": f"Number {number} of the row",
                "kind": "number",
                "dtype": "float32",
                "unit": None,
                "min": None,
                "max": None,
                "example": float(number),
            }
            for number in range(1, WIDTH + 1)
        ],
        "output": {"name": "echo", "tensor": "y", "column": None, "description": "The input row, in float32"},
        "data": {"source": "none", "licence": "BSD-3-Clause, as the project"},
        "training": {"algorithm": "one Identity node", "script": "models/identity/train.py", "opset": OPSET},
        "limits": ["The model predicts nothing. It measures what a request costs without the work of a model."],
    }


def write_model(out: Path) -> None:
    """Write OUT/1/model.onnx and OUT/card.json. Missing folders are created."""
    graph = make_graph()
    checker.check_model(graph, full_check=True)
    path = out / VERSION / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(graph.SerializeToString(deterministic=True))
    text = json.dumps(make_card(), indent=2, ensure_ascii=False) + "\n"
    (out / "card.json").write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote     {path} ({path.stat().st_size:,} bytes)")
    print(f"          {out / 'card.json'}")


def main(arguments: list[str] | None = None) -> int:
    """Run the script with command-line arguments, by default the arguments in `sys.argv`. Return the exit code 0."""
    parser = argparse.ArgumentParser(description="Build the null model and write model.onnx and card.json.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: beside this script)")
    write_model(parser.parse_args(arguments).out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
