"""The loan model predicts the same as scikit-learn, and uses its inputs as its card says."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.models.scripts import (
    MODELS,
    assert_training_gives_the_committed_bytes,
    committed_files,
    load_script,
    read_card,
)
from wsgi_core.inference import InvalidFeatures, MissingFeatures, Model, ModelRepository

CARD = read_card("loan")
ROW = {"age": 35, "income": 75000, "credit_score": 720, "employment_years": 8, "loan_amount": 25000}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("loan")


@pytest.fixture(scope="module")
def rows(script: ModuleType) -> Any:
    return script.split_rows()


@pytest.fixture(scope="module")
def loan() -> Model:
    return ModelRepository(MODELS).get("loan")


def approval(loan: Model, **changes: float) -> float:
    return float(loan.predict({**ROW, **changes})["approval_probability"])


def test_agrees_with_the_original_library_on_the_held_out_rows(script: ModuleType, rows: Any, loan: Model) -> None:
    original = script.probabilities(script.fit(rows), rows, rows.x_test)
    assert len(original) == CARD["evaluation"]["rows"] == 815
    np.testing.assert_allclose(loan.run(rows.x_test), original, rtol=0, atol=1e-5)


def test_the_cards_figures_are_those_of_the_committed_file(script: ModuleType, rows: Any, loan: Model) -> None:
    measured = script.scores(rows.y_test, loan.run(rows.x_test)[:, 1])
    assert measured == pytest.approx(CARD["evaluation"]["model"], abs=1e-4)
    baseline = CARD["evaluation"]["baseline_everybody_approved"]
    assert measured["auc"] > 0.77
    assert measured["accuracy"] > baseline["accuracy"] + 0.03


def test_a_tutorials_applicant_is_decided(loan: Model) -> None:
    assert loan.card is not None
    probability = approval(loan)
    assert 0.5 < probability < 1
    assert loan.card.output.label(probability) == "approved"
    assert loan.card.output.label(approval(loan, income=8000, credit_score=500, employment_years=0)) == "denied"
    assert loan.card.output.label(0.5) == "approved"


def test_age_does_not_reach_the_model(loan: Model) -> None:
    assert len({approval(loan, age=age) for age in (18, 35, 67, 120)}) == 1


def test_of_the_score_only_a_bad_one_counts(loan: Model) -> None:
    assert approval(loan, credit_score=580) == approval(loan, credit_score=850)
    assert approval(loan, credit_score=579) == approval(loan, credit_score=300) < approval(loan, credit_score=580)


def test_no_score_is_ever_made_up(loan: Model) -> None:
    with pytest.raises(MissingFeatures, match="credit_score"):
        loan.predict({name: value for name, value in ROW.items() if name != "credit_score"})
    with pytest.raises(InvalidFeatures, match="credit_score"):
        loan.predict({**ROW, "credit_score": None})


def test_beyond_what_was_seen_the_nearest_counts(loan: Model) -> None:
    seen = {feature["name"]: feature["seen_max"] for feature in CARD["features"]}
    assert approval(loan, income=10_000_000) == pytest.approx(approval(loan, income=seen["income"]), abs=1e-6)
    assert 0 < approval(loan, income=0, loan_amount=10_000_000, employment_years=0, credit_score=300) < 0.1


def test_more_income_and_a_smaller_loan_never_hurt(loan: Model) -> None:
    incomes = [approval(loan, income=income) for income in range(1000, 80_000, 1000)]
    amounts = [approval(loan, loan_amount=amount) for amount in range(1000, 30_000, 1000)]
    assert incomes == sorted(incomes)
    assert amounts == sorted(amounts, reverse=True)


def test_the_card_tells_what_it_must() -> None:
    by_name = {feature["name"]: feature for feature in CARD["features"]}
    assert list(by_name) == list(ROW)
    assert "not used" in by_name["age"]["use"]
    assert "assumption" in by_name["credit_score"]["use"]
    assert any("legally sensitive" in limit for limit in CARD["limits"])
    with_age = CARD["evaluation"]["with_age_auc_cross_validated"]["mean"]
    assert with_age - CARD["evaluation"]["model_auc_cross_validated"]["mean"] < 0.001


@pytest.mark.long
def test_training_again_gives_the_same_bytes(script: ModuleType, tmp_path: Path) -> None:
    assert_training_gives_the_committed_bytes("loan", script, tmp_path)


def test_no_rows_are_committed() -> None:
    assert {path.name for path in committed_files("loan")} == {"model.onnx", "card.json", "train.py"}
    assert (MODELS / "loan" / "1" / "model.onnx").stat().st_size < 2_000
