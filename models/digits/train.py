"""Train the digits model: scikit-learn's handwritten digits in, `1/model.onnx` and `card.json` out.

    python models/digits/train.py [--out DIR]

A perceptron with a hidden layer. It learns from three kinds of pictures of 8 by 8 pixels: digits that 13 people wrote
(they come with scikit-learn), the same turned and slanted, and digits that `handwriting.py` writes with a pen. The
rows of scikit-learn stay there: only the trained weights and the scripts are part of the project. Every figure in the
card is computed here, and both files come out byte for byte again with the versions that the card names. Takes about
two minutes. Needs the extra `.[train]`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from _training import Split, provenance, run, versions_of, write_files

# isort: split

import numpy as np
from handwriting import turned, write
from onnx import TensorProto, checker, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from wsgi_core.inference.digits import prepare_drawing

SEED = 19980701
HELD_OUT = 0.2
HIDDEN = (160,)
EPOCHS = 40
PENALTY = 0.01
AGAIN = 5  # times that each digit of the source is learnt as it is
TURNED = 8  # pictures of each digit of the source, turned and slanted
WRITTEN = 1500  # pictures of each of the ten digits, written with a pen
TURNED_HELD_OUT = 3
RIGHT = 0.995  # of the drawings that are answered without a doubt
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


def augment(rows: Split) -> Split:
    """The split with more of it: the drawings to learn from, and those held out, made of the rows that are held out."""
    rng = np.random.default_rng(SEED)
    x = [np.tile(rows.x_train, (AGAIN, 1)), draw_again(rows.x_train, TURNED, rng)]
    x.append(np.vstack([prepare_drawing(write(digit, rng)) for digit in range(10) for _ in range(WRITTEN)]))
    y = [np.tile(rows.y_train, AGAIN + TURNED), np.repeat(np.arange(10), WRITTEN)]
    held_out = draw_again(rows.x_test, TURNED_HELD_OUT, np.random.default_rng(SEED + 1))
    return Split(np.vstack(x), held_out, np.concatenate(y), np.tile(rows.y_test, TURNED_HELD_OUT))


def draw_again(x: np.ndarray, times: int, rng: np.random.Generator) -> np.ndarray:
    """Each row as a larger drawing, turned and slanted, as often as said: float32[N, 64] to float32[times * N, 64]."""
    return np.vstack([prepare_drawing(turned(row, rng)) for _ in range(times) for row in x])


def fit(rows: Split) -> MLPClassifier:
    """The perceptron, fitted on the training pictures for a fixed number of epochs, an epoch a call."""
    model = MLPClassifier(HIDDEN, alpha=PENALTY, random_state=SEED)
    for _ in range(EPOCHS):
        model.partial_fit(rows.x_train, rows.y_train, classes=np.arange(10))
    return model


def sure_from(y: np.ndarray, probability: np.ndarray) -> float:
    """The least probability, in hundredths, from which on the share `RIGHT` of the answers is right."""
    best, right = probability.max(axis=1), probability.argmax(axis=1) == y
    return next(least for least in np.arange(50, 100) / 100 if right[best >= least].mean() >= RIGHT)


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


def evaluate(model: MLPClassifier, rows: Split, drawn: Split, least: float) -> dict[str, Any]:
    """Scores on the held-out digits, beside two baselines, and on the held-out drawings: all, and the sure ones."""
    frequency = np.bincount(rows.y_train) / len(rows.y_train)
    linear = LogisticRegression(max_iter=1000).fit(rows.x_train, rows.y_train)
    probability, of_drawings = model.predict_proba(rows.x_test), model.predict_proba(drawn.x_test)
    sure = of_drawings.max(axis=1) >= least
    return {
        "rows": len(rows.y_test),
        "model": scores(rows.y_test, probability),
        "baseline_commonest_digit": scores(rows.y_test, np.tile(frequency, (len(rows.y_test), 1))),
        "logistic_regression": scores(rows.y_test, linear.predict_proba(rows.x_test)),
        "confusion": confusion_matrix(rows.y_test, probability.argmax(axis=1)).tolist(),
        "drawings": {
            "rows": len(drawn.y_test),
            "model": scores(drawn.y_test, of_drawings),
            "sure": {
                "share": round(float(sure.mean()), 4),
                "accuracy": scores(drawn.y_test[sure], of_drawings[sure])["accuracy"],
            },
        },
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
        "added": f"{TURNED} drawings of each training digit, turned and slanted, and {WRITTEN} of each of the ten "
        "digits as models/digits/handwriting.py writes them with a pen; the held-out drawings are the held-out digits, "
        f"turned and slanted in {TURNED_HELD_OUT} other ways",
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
        "algorithm": "multilayer perceptron (scikit-learn, ReLU, Adam, L2)",
        "hidden": list(HIDDEN),
        "penalty": PENALTY,
        "epochs": EPOCHS,
        **provenance("digits", OPSET, tool_versions()),
    }


def make_card(model: MLPClassifier, rows: Split, drawn: Split) -> dict[str, Any]:
    """The whole card, as `wsgi_core.inference` reads it."""
    least = sure_from(drawn.y_test, model.predict_proba(drawn.x_test))
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
            "sure_from": least,
        },
        "evaluation": evaluate(model, rows, drawn, least),
        "data": describe_data(rows),
        "training": describe_training(),
        "limits": [
            "It knows digits alone, and will find one in any scribble, often with a high probability.",
            "Trained on 8 by 8 pixels: what is too small for them is lost.",
            "Thirteen hands of 1998, and the ways of writing that handwriting.py has: a habit that is in neither may "
            "be strange to it.",
        ],
    }


def train(out: Path) -> None:
    """Read, fit, compare, write; prints what it does."""
    rows = split_rows()
    print(f"read      {len(rows.y_train):,} digits for training, {len(rows.y_test):,} held out (seed {SEED})")
    drawn = augment(rows)
    print(f"made      {len(drawn.y_train):,} pictures to learn from, {len(drawn.y_test):,} held-out drawings")
    model = fit(drawn)
    card = make_card(model, rows, drawn)
    print("held out                        accuracy  log loss")
    for name in ("model", "baseline_commonest_digit", "logistic_regression"):
        line = card["evaluation"][name]
        print(f"          {name.replace('_', ' '):<24} {line['accuracy']:.4f}  {line['log_loss']:.4f}")
    drawings = card["evaluation"]["drawings"]
    print(f"drawings  accuracy {drawings['model']['accuracy']:.4f}; sure from {card['output']['sure_from']:.2f} on:")
    print(f"          {drawings['sure']['share']:.1%} of them, {drawings['sure']['accuracy']:.2%} right")
    write_files(out, to_onnx(model), card)


if __name__ == "__main__":
    sys.exit(run("digits", train, None))
