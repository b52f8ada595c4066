"""The committed churn model is the one that its script trains, and predicts the same as the original library."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from wsgi_core.inference import Model, ModelRepository

FOLDER = Path(__file__).resolve().parents[2] / "models" / "churn"
CARD: dict[str, Any] = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """models/churn/train.py as a module. The import does not train the model."""
    spec = importlib.util.spec_from_file_location("train_churn", FOLDER / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows(script: ModuleType) -> Any:
    return script.split_rows()


@pytest.fixture(scope="module")
def churn() -> Model:
    return ModelRepository(FOLDER.parent).get("churn")


def test_agrees_with_the_original_library_on_the_held_out_rows(script: ModuleType, rows: Any, churn: Model) -> None:
    original = script.fit(rows).predict_proba(rows.x_test)
    assert len(original) == CARD["evaluation"]["rows"] == 1409
    np.testing.assert_allclose(churn.run(rows.x_test), original, rtol=0, atol=1e-5)


def test_real_customers_pass_the_card_and_get_the_same_answer(rows: Any, churn: Model) -> None:
    names = [feature["name"] for feature in CARD["features"]]
    payload = [dict(zip(names, row, strict=True)) for row in rows.x_test.tolist()]
    assert churn.predict(payload)["predictions"] == churn.run(rows.x_test)[:, 1].tolist()


def test_the_cards_figures_are_those_of_the_committed_file(script: ModuleType, rows: Any, churn: Model) -> None:
    measured = script.scores(rows.y_test, churn.run(rows.x_test)[:, 1])
    assert measured == pytest.approx(CARD["evaluation"]["model"], abs=1e-4)
    baseline = CARD["evaluation"]["baseline_nobody_churns"]
    assert measured["auc"] > 0.8 > baseline["auc"]
    assert measured["accuracy"] > baseline["accuracy"] + 0.04


def test_held_out_rows_are_not_trained_on(script: ModuleType, rows: Any) -> None:
    x, y = script.load_rows()
    assert len(rows.x_train) + len(rows.x_test) == len(x) == len(y) == 7043
    assert np.isfinite(x).all()


def test_the_cards_limits_hold_every_row_of_the_source(script: ModuleType, churn: Model) -> None:
    x, _ = script.load_rows()
    assert churn.card is not None
    for column, feature in zip(x.T, churn.card.features, strict=True):
        assert feature.low <= column.min()
        assert column.max() <= feature.high


@pytest.mark.long
def test_training_again_gives_the_same_bytes(script: ModuleType, tmp_path: Path) -> None:
    made = CARD["training"]
    machine = f"{platform.system()} {platform.machine()}"
    if (made["made_on"], made["made_with"]) != (machine, script.tool_versions()):
        pytest.skip("trained with other versions or on another machine, as the card says")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(FOLDER / "train.py"), "--out", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "5,634 rows for training" in done.stdout
    for name in ("1/model.onnx", "card.json"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()


def test_no_rows_are_committed() -> None:
    committed = {path.name for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert committed == {"model.onnx", "card.json", "train.py"}
    assert (FOLDER / "1" / "model.onnx").stat().st_size < 200_000
