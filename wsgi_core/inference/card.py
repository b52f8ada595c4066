"""The model card: `models/<name>/card.json`, checked once when the models are loaded.

The card says what a model is and, in the part that the service uses, which features it takes, within which
limits, and which output to answer with. An unknown key there is an error: a misspelt `max` would otherwise
silently be no limit at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from .errors import ModelError

FLOAT32_MAX = 3.4028234663852886e38
"""The largest float32; what lies beyond would become infinite on its way into the model."""

RESERVED = "instances"
"""The key that makes an object a batch, and so cannot be the name of a feature."""


class Feature(BaseModel):
    """One number that the model takes: `min` to `max` inclusive in `unit`, or one of `allowed`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1)
    description: str
    kind: Literal["number", "choice"]
    dtype: Literal["float32"]
    unit: str | None = None
    min: float | None = Field(default=None, ge=-FLOAT32_MAX, le=FLOAT32_MAX)
    max: float | None = Field(default=None, ge=-FLOAT32_MAX, le=FLOAT32_MAX)
    allowed: tuple[float, ...] = ()
    example: float
    seen_min: float | None = None
    seen_max: float | None = None

    @property
    def low(self) -> float:
        """The smallest value that is accepted."""
        return -FLOAT32_MAX if self.min is None else self.min

    @property
    def high(self) -> float:
        """The largest value that is accepted."""
        return FLOAT32_MAX if self.max is None else self.max

    @property
    def expected(self) -> str:
        """What is accepted, in words: `a number from 0 to 120 (months)`, `0 or 1`."""
        if self.allowed:
            return " or ".join(f"{value:.10g}" for value in self.allowed)
        low = "" if self.min is None else f" from {self.min:.10g}"
        high = "" if self.max is None else f" up to {self.max:.10g}"
        unit = f" ({self.unit})" if self.unit else ""
        return f"a number{low}{high}".replace(" up to", " to" if low else " up to") + unit

    def accepts(self, value: object) -> bool:
        """Whether a value out of JSON will do: an int or a float, not a bool, within the limits."""
        if type(value) is not float and type(value) is not int:
            return False
        return self.low <= value <= self.high and (not self.allowed or value in self.allowed)

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        if (self.kind == "choice") != bool(self.allowed):
            raise ValueError("'allowed' belongs to the kind 'choice', and to it alone")
        if self.name == RESERVED:
            raise ValueError(f"a feature cannot be called {RESERVED!r}, which marks a batch")
        if not self.accepts(self.example):
            raise ValueError("the example is not within the limits")
        return self


class Input(BaseModel):
    """The tensor that takes the features: float32[N, number of features], in the order of the card."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    tensor: str


class Output(BaseModel):
    """What is answered: one column of the tensor, or the whole row if `column` is null, under `name`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str
    tensor: str
    column: int | None = Field(default=None, ge=0)
    description: str = ""


class Card(BaseModel):
    """A whole card. `evaluation`, `data`, `training` and `limits` are for people and may hold any JSON."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str
    description: str
    input: Input
    features: tuple[Feature, ...] = Field(min_length=1)
    output: Output
    evaluation: dict[str, JsonValue] = {}
    data: dict[str, JsonValue] = {}
    training: dict[str, JsonValue] = {}
    limits: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if len({feature.name for feature in self.features}) != len(self.features):
            raise ValueError("two features have the same name")
        return self

    @property
    def example(self) -> dict[str, float]:
        """One row that the model accepts, to try it with."""
        return {feature.name: feature.example for feature in self.features}


def read_card(path: Path) -> Card:
    """Read and check a card; raises `ModelError` with everything that is wrong with it, in one line."""
    try:
        return Card.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: the model card cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ModelError(f"{path}: not a valid model card: {_one_line(error)}; mend or remove it") from error


def _one_line(error: ValidationError) -> str:
    """`features.0.max: Input should be a valid number; ...`"""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"]])) for problem in problems
    )
