"""Flask as in tutorials: flask-cors on the whole application, a scikit-learn pipeline from joblib, a DataFrame.

The pipeline has as many trees as the churn model, with the same depth. It is trained on churn's own predictions,
because the project has no labelled data. So both models return nearly the same predictions.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import joblib
import pandas
from flask import Flask, Response, jsonify, request
from flask_cors import CORS
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from loadtests.rungs.work import OTHER_ROUTES, Model, load_model

COLUMNS = ["tenure_months", "monthly_charges", "total_charges", "contract_month_to_month", "has_fiber"]
# The parameters of models/churn/train.py.
TREES = 100
DEPTH = 4
LEARNING_RATE = 0.05


def create_app(model: str = "churn", via: str = "DataFrame") -> Flask:
    """Make the application whose POST /predict makes predictions in the way that ``via`` names.

    With ``"DataFrame"`` or ``"array"``, a scikit-learn pipeline gets the row as a DataFrame or as an array. With
    ``"ONNX"``, the ONNX model is called, so that flask-cors is the only difference from ``flask_app.py``.
    """
    predict = load_model(model) if via == "ONNX" else _pipeline_model(model, via)
    app = Flask(__name__)
    CORS(app)
    for number, rule in enumerate(OTHER_ROUTES):
        app.add_url_rule(rule, f"other_{number}", _other)

    @app.post("/predict")
    def predict_view() -> Response:
        return jsonify(predict(request.get_json()))

    return app


def _other(**values: Any) -> str:
    return "never requested"


def _pipeline_model(model: str, via: str) -> Model:
    """Return a function that predicts with the scikit-learn pipeline, after joblib has saved and loaded the pipeline.

    ``via`` is the form in which the pipeline gets the row: ``"DataFrame"`` or ``"array"``.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.joblib")
        joblib.dump(trained_pipeline(model, named=via == "DataFrame"), path)
        pipeline = joblib.load(path)

    def predict(features: Any) -> dict[str, object]:
        if via == "DataFrame":
            row: Any = pandas.DataFrame([features], columns=COLUMNS)
        else:
            row = [[features[name] for name in COLUMNS]]
        return {"churn_probability": float(pipeline.predict_proba(row)[0, 1]), "model_version": "pipeline"}

    return predict


def trained_pipeline(model: str = "churn", named: bool = True) -> Pipeline:
    """Return a pipeline that is trained on the predictions of ``model``.

    If ``named`` is true, the pipeline's columns have names.
    """
    from loadtests.rows import churn_rows

    rows = churn_rows().rows
    shares = load_model(model)(rows)["predictions"]
    # Each row occurs twice, as a customer who leaves and as one who stays, weighted by churn's probabilities.
    frame = pandas.DataFrame([*rows, *rows], columns=COLUMNS)
    labels = [1] * len(rows) + [0] * len(rows)
    weights = [*shares, *(1 - share for share in shares)]
    trees = GradientBoostingClassifier(n_estimators=TREES, max_depth=DEPTH, learning_rate=LEARNING_RATE, random_state=0)
    pipeline = Pipeline([("scale", StandardScaler()), ("trees", trees)])
    return pipeline.fit(frame if named else frame.to_numpy(), labels, trees__sample_weight=weights)
