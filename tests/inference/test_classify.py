"""A decision is the card's label for the probability, and only models that have both can make one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from wsgi_core.inference import ModelRepository, default_models_dir
from wsgi_core.inference.classify import classify, find_classifier


@pytest.fixture(scope="module")
def repository() -> ModelRepository:
    return ModelRepository()


def test_the_label_turns_at_the_threshold(repository: ModelRepository):
    model = find_classifier(repository, "loan")
    assert model is not None
    assert model.card is not None
    decisions = [classify(model, model.card.example | {"income": income}) for income in (0, 8_000, 60_000)]
    assert [label for label, _ in decisions] == [
        "approved" if probability >= 0.5 else "denied" for _, probability in decisions
    ]
    assert {"approved", "denied"} == {label for label, _ in decisions}


@pytest.mark.parametrize("name", ["nope", "churn", "digits", "identity"])
def test_what_has_no_two_classes_is_not_found(repository: ModelRepository, name: str):
    assert find_classifier(repository, name) is None


def test_a_model_without_its_card_decides_nothing(tmp_path: Path):
    (tmp_path / "loan" / "1").mkdir(parents=True)
    shutil.copy(default_models_dir() / "loan" / "1" / "model.onnx", tmp_path / "loan" / "1")
    assert find_classifier(ModelRepository(tmp_path), "loan") is None
