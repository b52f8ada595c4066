"""Train the digits model on scikit-learn's handwritten digits, and write `1/model.onnx` and `card.json`.

    python models/digits/train.py [--out DIR]

The model is a perceptron with a hidden layer. Its input is a picture of 8 by 8 pixels. The model is trained on the
digits of scikit-learn, on these digits rotated and slanted, and on digits that `handwriting.py` draws.

The script needs the extra `.[train]`. On a CPU with AVX-512, the package versions in the card reproduce both files byte
for byte.
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
from handwriting import draw, transform
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
COPIES = 5  # the number of copies of each training digit in the training pictures
TRANSFORMED = 8  # the number of rotated and slanted pictures of each training digit
DRAWN = 1500  # the number of pictures that handwriting.py draws of each digit from 0 to 9
TRANSFORMED_HELD_OUT = 3  # the number of rotated and slanted pictures of each held-out digit
SURE_ACCURACY = 0.995  # the minimum share of right predictions among the drawings of which the model is sure
SIDE = 8
DARKEST = 16
OPSET = 15
IR_VERSION = 8  # the oldest version for this opset, so that older runtimes can read the file
TOOLS = ("numpy", "onnx", "scikit-learn")


def load_rows() -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels and the classes of all 1,797 digits, float32[N, 64] and int[N]. A pixel is from 0 to 1."""
    digits = load_digits()
    return (digits.data / DARKEST).astype(np.float32), digits.target


def split_rows() -> Split:
    """Split the rows by a fixed seed, stratified by the digit."""
    x, y = load_rows()
    return Split(*train_test_split(x, y, test_size=HELD_OUT, random_state=SEED, stratify=y))


def augment(rows: Split) -> Split:
    """Return a split with the pictures for training and the held-out drawings.

    The pictures for training are copies of the training rows, rotated and slanted training rows, and digits that
    `handwriting.py` draws. The held-out drawings are held-out rows, rotated and slanted at random.
    """
    rng = np.random.default_rng(SEED)
    x = [np.tile(rows.x_train, (COPIES, 1)), transform_rows(rows.x_train, TRANSFORMED, rng)]
    x.append(np.vstack([prepare_drawing(draw(digit, rng)) for digit in range(10) for _ in range(DRAWN)]))
    y = [np.tile(rows.y_train, COPIES + TRANSFORMED), np.repeat(np.arange(10), DRAWN)]
    held_out = transform_rows(rows.x_test, TRANSFORMED_HELD_OUT, np.random.default_rng(SEED + 1))
    return Split(np.vstack(x), held_out, np.concatenate(y), np.tile(rows.y_test, TRANSFORMED_HELD_OUT))


def transform_rows(x: np.ndarray, times: int, rng: np.random.Generator) -> np.ndarray:
    """Make `times` pictures of each row, rotated and slanted at random: float32[N, 64] to float32[times * N, 64]."""
    return np.vstack([prepare_drawing(transform(row, rng)) for _ in range(times) for row in x])


def fit(rows: Split) -> MLPClassifier:
    """Return the perceptron, fitted on the training pictures for a fixed number of epochs."""
    model = MLPClassifier(HIDDEN, alpha=PENALTY, random_state=SEED)
    for _ in range(EPOCHS):
        model.partial_fit(rows.x_train, rows.y_train, classes=np.arange(10))
    return model


def sure_from(y: np.ndarray, probability: np.ndarray) -> float:
    """Return the lowest of the thresholds 0.50, 0.51, ... at which the model is accurate enough.

    Of the predictions with at least this probability, at least the share `SURE_ACCURACY` is right.
    """
    best, right = probability.max(axis=1), probability.argmax(axis=1) == y
    return next(least for least in np.arange(50, 100) / 100 if right[best >= least].mean() >= SURE_ACCURACY)


def to_onnx(model: MLPClassifier) -> bytes:
    """Return the perceptron as ONNX: input `pixels` float[N, 64], output `probabilities` float[N, 10]."""
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
    """Return the accuracy and the log loss (lower is better) of probabilities."""
    right = probability[np.arange(len(y)), y]
    return {
        "accuracy": round(float(accuracy_score(y, probability.argmax(axis=1))), 4),
        "log_loss": round(float(-np.log(right, dtype=np.float64).mean()), 4),
    }


def evaluate(model: MLPClassifier, rows: Split, drawn: Split, least: float) -> dict[str, Any]:
    """Return the scores of the model and of two baselines on the held-out digits in `rows`.

    Also return the scores of the model on the held-out drawings in `drawn`, and the share and the accuracy of the sure
    predictions. A prediction is sure if its highest probability is at least `least`.
    """
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
    """Return the source of the rows, the licence, and how the rows were split."""
    return {
        "source": "Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, UCI, 1998), test part, "
        "as scikit-learn bundles it: load_digits",
        "licence": "CC BY 4.0 at UCI; scikit-learn is BSD-3-Clause. The rows are not part of this project.",
        "rows": len(rows.y_train) + len(rows.y_test),
        "making": "13 people wrote with a pen on forms. Each digit was scanned as a bitmap of 32 by 32 dots, cropped "
        "to the digit. A pixel is the number of black dots in a block of 4 by 4 (0 to 16), here divided by 16",
        "added": f"{TRANSFORMED} rotated and slanted drawings of each training digit, and {DRAWN} drawings of each "
        "digit from 0 to 9 by models/digits/handwriting.py; the held-out drawings are the held-out digits, each "
        f"rotated and slanted in {TRANSFORMED_HELD_OUT} ways",
        "split": f"{len(rows.y_train)} digits for training, {len(rows.y_test)} held out, stratified by digit; "
        "the source does not say who wrote a digit, so both parts have digits of the same people",
        "seed": SEED,
    }


def tool_versions() -> dict[str, str]:
    """Return the versions of the packages on which the bytes of the model depend."""
    return versions_of(TOOLS)


def describe_training() -> dict[str, Any]:
    """Return the algorithm and its settings, and the package versions and the machine that made the model."""
    return {
        "algorithm": "multilayer perceptron (scikit-learn, ReLU, Adam, L2)",
        "hidden": list(HIDDEN),
        "penalty": PENALTY,
        "epochs": EPOCHS,
        **provenance("digits", OPSET, tool_versions()),
    }


def make_card(model: MLPClassifier, rows: Split, drawn: Split) -> dict[str, Any]:
    """Return the content of card.json."""
    least = sure_from(drawn.y_test, model.predict_proba(drawn.x_test))
    return {
        "name": "digits",
        "description": "The probability of each digit from 0 to 9 in a small picture",
        "kind": "image",
        "input": {"tensor": "pixels"},
        "pixels": {
            "name": "pixels",
            "description": "8 rows of 8 pixels, from 0 (paper) to 1 (ink). The digit is centred and fills the height; "
            "wsgi_core.inference.digits converts a drawing to such pixels",
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
            "description": "The probability of each digit, 0 to 9",
            "labels": [str(digit) for digit in range(10)],
            "sure_from": least,
        },
        "evaluation": evaluate(model, rows, drawn, least),
        "data": describe_data(rows),
        "training": describe_training(),
        "limits": [
            "The model knows only digits. It finds a digit in any scribble, often with a high probability.",
            "The pictures have 8 by 8 pixels: smaller details are lost.",
            "The model learned from the handwriting of 13 people (1998) and the ways of writing in handwriting.py. It "
            "may not recognise a digit that is written in another way.",
        ],
    }


def train(out: Path) -> None:
    """Train the model, compare the model with the baselines, and write the files to `out`. Print each step."""
    rows = split_rows()
    print(f"read      {len(rows.y_train):,} digits for training, {len(rows.y_test):,} held out (seed {SEED})")
    drawn = augment(rows)
    print(f"made      {len(drawn.y_train):,} pictures for training, {len(drawn.y_test):,} held-out drawings")
    model = fit(drawn)
    card = make_card(model, rows, drawn)
    print("held out                        accuracy  log loss")
    for name in ("model", "baseline_commonest_digit", "logistic_regression"):
        line = card["evaluation"][name]
        print(f"          {name.replace('_', ' '):<24} {line['accuracy']:.4f}  {line['log_loss']:.4f}")
    drawings = card["evaluation"]["drawings"]
    print(f"drawings  accuracy {drawings['model']['accuracy']:.4f}")
    print(
        f"          with a probability of at least {card['output']['sure_from']:.2f}: {drawings['sure']['share']:.1%},"
    )
    print(f"          of which {drawings['sure']['accuracy']:.2%} are right")
    write_files(out, to_onnx(model), card)


if __name__ == "__main__":
    sys.exit(run("digits", train, None))
