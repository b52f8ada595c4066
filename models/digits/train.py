"""Train the digits model: scikit-learn's handwritten digits in, `1/model.onnx` and `card.json` out.

    python models/digits/train.py [--out DIR]

A perceptron with two hidden layers on 1,797 digits that 13 people wrote, each 8 by 8 pixels. The rows come with
scikit-learn and stay there: only the trained weights and this script are part of the project. Every figure in the
card is computed here, and both files come out byte for byte again with the versions that the card names. Needs
the extra `.[train]`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _training import Split, provenance, run, versions_of, write_files

# isort: split

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

SEED = 19980701
HELD_OUT = 0.2
HIDDEN = (128, 64)
EPOCHS = 60
SIDE = 8
DARKEST = 16
OPSET = 15
IR_VERSION = 8  # the oldest that goes with this opset: older runtimes can read it too
TOOLS = ("numpy", "onnx", "scikit-learn")


def load_rows() -> tuple[np.ndarray, np.ndarray]:
    """All 1,797 digits as (float32[N, 64], int[N]); the source counts 0 to 16 black dots in each pixel."""
    digits = load_digits()
    return (digits.data / DARKEST).astype(np.float32), digits.target


def split_rows() -> Split:
    """The fixed split, stratified by the digit."""
    x, y = load_rows()
    return Split(*train_test_split(x, y, test_size=HELD_OUT, random_state=SEED, stratify=y))


def fit(rows: Split) -> MLPClassifier:
    """The perceptron, fitted on the training digits for a fixed number of epochs, an epoch a call."""
    model = MLPClassifier(HIDDEN, alpha=1e-3, random_state=SEED)
    for _ in range(EPOCHS):
        model.partial_fit(rows.x_train, rows.y_train, classes=np.arange(10))
    return model


def to_onnx(model: MLPClassifier) -> bytes:
    """The same as ONNX: `pixels` float[N, 64] in, `probabilities` float[N, 10] out."""
    nodes, constants, name = [], [], "pixels"
    for number, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        constants += [
            numpy_helper.from_array(weight.astype(np.float32), f"weight_{number}"),
            numpy_helper.from_array(bias.astype(np.float32), f"bias_{number}"),
        ]
        last = number == len(HIDDEN)
        sums, name_next = f"sums_{number}", "probabilities" if last else f"hidden_{number}"
        nodes.append(helper.make_node("Gemm", [name, f"weight_{number}", f"bias_{number}"], [sums]))
        nodes.append(helper.make_node("Softmax" if last else "Relu", [sums], [name_next]))
        name = name_next
    return _serialize(nodes, constants)


def _serialize(nodes: list[Any], constants: list[Any]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", SIDE * SIDE])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
        constants,
    )
    opset = helper.make_opsetid("", OPSET)
    proto = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="wsgi_core")
    checker.check_model(proto, full_check=True)
    return bytes(proto.SerializeToString(deterministic=True))


def scores(y: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """How many are right, and the error of the probabilities (log loss: lower is better)."""
    right = probability[np.arange(len(y)), y]
    return {
        "accuracy": round(float(accuracy_score(y, probability.argmax(axis=1))), 4),
        "log_loss": round(float(-np.log(right, dtype=np.float64).mean()), 4),
    }


def evaluate(model: MLPClassifier, rows: Split) -> dict[str, Any]:
    """Scores on the held-out digits: the perceptron, always saying how frequent each digit is, a linear model."""
    frequency = np.bincount(rows.y_train) / len(rows.y_train)
    linear = LogisticRegression(max_iter=1000).fit(rows.x_train, rows.y_train)
    probability = model.predict_proba(rows.x_test)
    return {
        "rows": len(rows.y_test),
        "model": scores(rows.y_test, probability),
        "baseline_commonest_digit": scores(rows.y_test, np.tile(frequency, (len(rows.y_test), 1))),
        "logistic_regression": scores(rows.y_test, linear.predict_proba(rows.x_test)),
        "confusion": confusion_matrix(rows.y_test, probability.argmax(axis=1)).tolist(),
    }


def describe_data(rows: Split) -> dict[str, Any]:
    """Where the rows come from, under which terms, and how they were split."""
    return {
        "source": "Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, UCI, 1998), test part, "
        "as scikit-learn bundles it: load_digits",
        "licence": "CC BY 4.0 at UCI; scikit-learn is BSD-3-Clause. The rows are not part of this project.",
        "rows": len(rows.y_train) + len(rows.y_test),
        "making": "13 people wrote with a pen on forms; bitmaps of 32 by 32 dots, cropped to the digit, "
        "counted in blocks of 4 by 4: 0 to 16, here divided by 16",
        "split": f"{len(rows.y_train)} digits for training, {len(rows.y_test)} held out, stratified by digit; "
        "the source does not say who wrote which, so the same hands are on both sides",
        "seed": SEED,
    }


def tool_versions() -> dict[str, str]:
    """Return the versions on which the bytes depend."""
    return versions_of(TOOLS)


def describe_training() -> dict[str, Any]:
    """The settings, and the versions and machine on which the same bytes come out again."""
    return {
        "algorithm": "multilayer perceptron (scikit-learn, ReLU, Adam, L2 0.001)",
        "hidden": list(HIDDEN),
        "epochs": EPOCHS,
        **provenance("digits", OPSET, tool_versions()),
    }


def make_card(model: MLPClassifier, rows: Split) -> dict[str, Any]:
    """The whole card, as `wsgi_core.inference` reads it."""
    return {
        "name": "digits",
        "description": "Which digit a small picture shows: a probability for each of the ten",
        "kind": "image",
        "input": {"tensor": "pixels"},
        "pixels": {
            "name": "pixels",
            "description": "8 rows of 8 pixels, 0 for paper to 1 for ink, the digit filling the height and centred; "
            "wsgi_core.inference.digits makes them of a drawing",
            "height": SIDE,
            "width": SIDE,
            "min": 0.0,
            "max": 1.0,
            "example": rows.x_train[0].astype(float).tolist(),
        },
        "output": {
            "name": "probabilities",
            "tensor": "probabilities",
            "column": None,
            "description": "How likely each digit is, 0 to 9",
            "labels": [str(digit) for digit in range(10)],
        },
        "evaluation": evaluate(model, rows),
        "data": describe_data(rows),
        "training": describe_training(),
        "limits": [
            "Trained on 8 by 8 pixels of forms filled in with a pen: a drawing with a mouse or a finger has to be "
            "made to look like that first, and is recognised less often than the held-out digits.",
            "It knows digits alone, and will find one in any scribble; a small highest probability is all the "
            "warning there is.",
            "Thirteen hands of 1998: a habit that none of them had, a crossed 7 say, may be strange to it.",
        ],
    }


def train(out: Path) -> None:
    """Read, fit, compare, write; prints what it does."""
    rows = split_rows()
    print(f"read      {len(rows.y_train):,} digits for training, {len(rows.y_test):,} held out (seed {SEED})")
    model = fit(rows)
    card = make_card(model, rows)
    print("held out                        accuracy  log loss")
    for name in ("model", "baseline_commonest_digit", "logistic_regression"):
        line = card["evaluation"][name]
        print(f"          {name.replace('_', ' '):<24} {line['accuracy']:.4f}  {line['log_loss']:.4f}")
    write_files(out, to_onnx(model), card)


if __name__ == "__main__":
    sys.exit(run("digits", train, None))
