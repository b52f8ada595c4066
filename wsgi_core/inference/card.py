"""The model card: `models/<name>/card.json`, checked once when the models are loaded.

The card says what a model is and, in the part that the service uses, what it takes (a row of features, a
text, a small picture), within which limits, and which output to answer with. An unknown key there is an
error: a misspelt `max` would otherwise silently be no limit at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from .errors import ModelError

FLOAT32_MAX = 3.4028234663852886e38
"""The largest float32; what lies beyond would become infinite on its way into the model."""

RESERVED = "instances"
"""The key that makes an object a batch, and so cannot be the name of a feature."""


class Part(BaseModel):
    """A part of a card: nothing unknown, nothing converted, nothing changed later, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Feature(Part):
    """One number that the model takes: `min` to `max` inclusive in `unit`, or one of `allowed`.

    `use` says what the model does with it where that is not what the name suggests.
    """

    name: str = Field(min_length=1)
    description: str
    kind: Literal["number", "choice"]
    dtype: Literal["float32"]
    unit: str | None = None
    min: float | None = Field(default=None, ge=-FLOAT32_MAX, le=FLOAT32_MAX)
    max: float | None = Field(default=None, ge=-FLOAT32_MAX, le=FLOAT32_MAX)
    allowed: tuple[float, ...] = ()
    example: float
    use: str = ""
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

    def found(self, value: object) -> str:
        """What came in its place, in words."""
        return describe(value)

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        if (self.kind == "choice") != bool(self.allowed):
            raise ValueError("'allowed' belongs to the kind 'choice', and to it alone")
        if self.name == RESERVED:
            raise ValueError(f"a feature cannot be called {RESERVED!r}, which marks a batch")
        if not self.accepts(self.example):
            raise ValueError("the example is not within the limits")
        return self


class Text(Part):
    """A text that becomes token ids by `encoder`, whose `file` stands beside model.onnx.

    `max_characters` is what is accepted; of longer token lists the first `max_tokens` count.
    """

    name: str = Field(min_length=1)
    description: str
    encoder: Literal["ngrams", "wordpiece"]
    file: str = Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")
    max_characters: int = Field(ge=1)
    max_tokens: int = Field(ge=1)
    example: str

    @property
    def expected(self) -> str:
        """What is accepted, in words: `a string of 1 to 5000 characters`."""
        return f"a string of 1 to {self.max_characters} characters"

    def accepts(self, value: object) -> bool:
        """Whether a value out of JSON will do."""
        return type(value) is str and 1 <= len(value) <= self.max_characters

    def found(self, value: object) -> str:
        """What came in its place, in words; of a string only how long it is."""
        return f"one of {len(value)}" if isinstance(value, str) else describe(value)


class Pixels(Part):
    """A small picture: a flat list of `height` times `width` numbers from `min` to `max`, row by row."""

    name: str = Field(min_length=1)
    description: str
    height: int = Field(ge=1)
    width: int = Field(ge=1)
    min: float
    max: float
    example: tuple[float, ...]

    @property
    def expected(self) -> str:
        """What is accepted, in words: `a list of 64 numbers from 0 to 1`."""
        return f"a list of {self.height * self.width} numbers from {self.min:.10g} to {self.max:.10g}"

    def accepts(self, value: object) -> bool:
        """Whether a value out of JSON will do."""
        return (
            isinstance(value, list)
            and len(value) == self.height * self.width
            and {type(number) for number in value} <= {int, float}
            and self.min <= min(value)
            and max(value) <= self.max
        )

    def found(self, value: object) -> str:
        """What came in its place, in words."""
        return f"a list of {len(value)} values" if isinstance(value, list) else describe(value)


class Input(Part):
    """The tensor that takes the input, row by row: float32[N, features or pixels], or int64[N, tokens]."""

    tensor: str


class Output(Part):
    """What is answered: one column of the tensor, or the whole row if `column` is null, under `name`.

    `labels` are the classes: of the row's columns, or, for one column, what is said below `threshold` and
    from there on.
    """

    name: str
    tensor: str
    column: int | None = Field(default=None, ge=0)
    description: str = ""
    labels: tuple[str, ...] = ()
    threshold: float = 0.5

    def label(self, answer: float | list[float]) -> str:
        """The class for one answer of `Model.predict`; the card must have labels."""
        if isinstance(answer, list):
            return self.labels[answer.index(max(answer))]
        return self.labels[answer >= self.threshold]

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        if self.column is not None and len(self.labels) not in (0, 2):
            raise ValueError("one column has two labels, or none")
        return self


Source = Feature | Text | Pixels
"""What a client is asked for."""

Kind = Literal["tabular", "text", "image", "embedding"]

_PARTS = {"tabular": "features", "text": "text", "image": "pixels", "embedding": "text"}


class Card(Part):
    """A whole card. `evaluation`, `data`, `training` and `limits` are for people and may hold any JSON.

    `kind` decides which of `features`, `text` and `pixels` is there; `max_rows` lowers the largest batch.
    """

    name: str
    description: str
    kind: Kind = "tabular"
    input: Input
    features: tuple[Feature, ...] = ()
    text: Text | None = None
    pixels: Pixels | None = None
    output: Output
    max_rows: int | None = Field(default=None, ge=2)
    evaluation: dict[str, JsonValue] = {}
    data: dict[str, JsonValue] = {}
    training: dict[str, JsonValue] = {}
    limits: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        there = [part for part in ("features", "text", "pixels") if getattr(self, part)]
        if there != [_PARTS[self.kind]]:
            raise ValueError(f"a card of the kind {self.kind!r} has the part {_PARTS[self.kind]!r}, and it alone")
        if len({source.name for source in self.sources}) != len(self.sources):
            raise ValueError("two features have the same name")
        return self

    @property
    def sources(self) -> tuple[Source, ...]:
        """What a client is asked for: the features, the text, or the picture."""
        one = self.text or self.pixels
        return (one,) if one else self.features

    @property
    def example(self) -> dict[str, Any]:
        """One row that the model accepts, as JSON would give it, to try it with."""
        if self.pixels:
            return {self.pixels.name: list(self.pixels.example)}
        return {source.name: source.example for source in self.sources}


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


def describe(value: object) -> str:
    """A JSON value in a few words. Text is never repeated: it may be long, and it may be anything."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value!r}" if abs(value) <= FLOAT32_MAX else "a number too large for a float32"
    names = {str: "a string", list: "a list", dict: "an object", type(None): "null"}
    return names.get(type(value), "something else")
