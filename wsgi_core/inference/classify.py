"""A model with two classes, as those who ask for a decision use it: the class, and how probable it is."""

from __future__ import annotations

from typing import Any

from .errors import ModelNotFound
from .model import Model
from .repository import ModelRepository


def find_classifier(models: ModelRepository, name: str) -> Model | None:
    """The newest version of a model, if it is there and its card has the two classes of one probability."""
    try:
        model = models.get(name)
    except ModelNotFound:
        return None
    output = model.card.output if model.card else None
    return model if output and output.labels and output.column is not None else None


def classify(model: Model, row: dict[str, Any]) -> tuple[str, float]:
    """The class of a row that is right, and the probability of the second class (approved, positive)."""
    assert model.card is not None
    output = model.card.output
    probability: float = model.predict(row)[output.name]
    return output.label(probability), probability
