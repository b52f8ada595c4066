"""The model card, the file `card.json`. The card is read when the model is loaded.

The card names the input of the model, the limits of the input, and the output that is the prediction. The input is a
row of numbers (features), a text, or a small picture. An unknown key is an error, because otherwise a misspelt `max`
would set no limit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from .errors import ModelError, one_line

FLOAT32_MAX = 3.4028234663852886e38
"""The largest float32. A larger number would become infinity in the input tensor."""

RESERVED = "instances"
"""The key that marks a JSON object as a batch. No feature, text or picture can have this name."""


class CardModel(BaseModel):
    """The base class of a card and its parts. Fields cannot be assigned after validation.

    Unknown keys and values of the wrong type are errors. NaN and infinity are errors in a field that holds a float.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Feature(CardModel):
    """One number in an input row.

    min: the lower limit, inclusive, or None
    max: the upper limit, inclusive, or None
    allowed: the only accepted values, if `kind` is "choice"
    use: how the model uses the number, as text for people
    seen_min: the smallest value in the training data
    seen_max: the largest value in the training data
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
        """The lower limit: `min`, or the lowest float32 if the card sets no `min`."""
        return -FLOAT32_MAX if self.min is None else self.min

    @property
    def high(self) -> float:
        """The upper limit: `max`, or the largest float32 if the card sets no `max`."""
        return FLOAT32_MAX if self.max is None else self.max

    @property
    def expected(self) -> str:
        """The accepted values as text, such as `a number from 0 to 120 (months)`."""
        if self.allowed:
            return " or ".join(f"{value:.10g}" for value in self.allowed)
        low = "" if self.min is None else f" from {self.min:.10g}"
        high = "" if self.max is None else f" up to {self.max:.10g}"
        unit = f" ({self.unit})" if self.unit else ""
        return f"a number{low}{high}".replace(" up to", " to" if low else " up to") + unit

    def accepts(self, value: object) -> bool:
        """Return whether a JSON value is a number within the limits.

        If `allowed` is set, the value must be in `allowed`.
        """
        if type(value) is not float and type(value) is not int:
            return False
        return self.low <= value <= self.high and (not self.allowed or value in self.allowed)

    def describe_rejected(self, value: object) -> str:
        return describe(value)

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        if (self.kind == "choice") != bool(self.allowed):
            raise ValueError("'allowed' must be set if the kind is 'choice', and only then")
        if not self.accepts(self.example):
            raise ValueError(f"the example must be {self.expected}")
        return self


class Text(CardModel):
    """A text, which an encoder converts to token ids.

    encoder: the kind of encoder (see the module `text`)
    file: the name of the encoder's file, which is in the same folder as model.onnx
    max_characters: the largest number of characters in a text
    max_tokens: the number of tokens after which a text is cut; for `wordpiece`, the number includes special tokens
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
        """The accepted values as text, such as `a string of 1 to 5000 characters`."""
        return f"a string of 1 to {self.max_characters} characters"

    def accepts(self, value: object) -> bool:
        """Return whether a JSON value is a string of 1 to `max_characters` characters."""
        return type(value) is str and 1 <= len(value) <= self.max_characters

    def describe_rejected(self, value: object) -> str:
        """Return the words after `got` in an error such as "must be a string of 1 to 50 characters, got one of 60"."""
        return f"one of {len(value)}" if isinstance(value, str) else describe(value)


class Pixels(CardModel):
    """A small picture: a flat list of `height` times `width` numbers from `min` to `max`, the top row first."""

    name: str = Field(min_length=1)
    description: str
    height: int = Field(ge=1)
    width: int = Field(ge=1)
    min: float
    max: float
    example: tuple[float, ...]

    @property
    def expected(self) -> str:
        """The accepted values as text, such as `a list of 64 numbers from 0 to 1`."""
        return f"a list of {self.height * self.width} numbers from {self.min:.10g} to {self.max:.10g}"

    def accepts(self, value: object) -> bool:
        """Return whether a JSON value is a list of `height` times `width` numbers within the limits."""
        return (
            isinstance(value, list)
            and len(value) == self.height * self.width
            and {type(number) for number in value} <= {int, float}
            and self.min <= min(value)
            and max(value) <= self.max
        )

    def describe_rejected(self, value: object) -> str:
        return f"a list of {len(value)} values" if isinstance(value, list) else describe(value)


class Input(CardModel):
    """The input tensor of the model. `tensor` is the name of the tensor in the ONNX file."""

    tensor: str


class Output(CardModel):
    """The output tensor of the model, and the part of the tensor that is the prediction.

    name: the key of the prediction in the response to a single row
    tensor: the name of the output tensor in the ONNX file
    column: the column that is the prediction, or None if the prediction is the whole row
    labels: the names of the classes, one for each column; if the prediction is one column, two names or none
    threshold: if the prediction is one column, the smallest prediction with the second label
    sure_from: if the highest probability is at least this number, `digits.recognise` reports that the model is sure
    """

    name: str
    tensor: str
    column: int | None = Field(default=None, ge=0)
    description: str = ""
    labels: tuple[str, ...] = ()
    threshold: float = 0.5
    sure_from: float = Field(default=0.0, ge=0, le=1)

    def label(self, answer: float | list[float]) -> str:
        """Return the class of one prediction that `Model.predict` returned. The card must have labels."""
        if isinstance(answer, list):
            return self.labels[answer.index(max(answer))]
        return self.labels[answer >= self.threshold]

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        if self.column is not None and len(self.labels) not in (0, 2):
            raise ValueError("an output with a 'column' must have two labels or none")
        return self


Source = Feature | Text | Pixels
"""The description of one value that a client sends."""

Kind = Literal["tabular", "text", "image", "embedding"]

_PARTS = {"tabular": "features", "text": "text", "image": "pixels", "embedding": "text"}


class Card(CardModel):
    """A model card.

    `kind` decides which of `features`, `text` and `pixels` the card must have. `max_rows` limits the number of rows in
    a batch. `evaluation`, `data`, `training` and `limits` are only for people to read.
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
        parts, needed = ("features", "text", "pixels"), _PARTS[self.kind]
        if [part for part in parts if getattr(self, part)] != [needed]:
            others = " or ".join(repr(part) for part in parts if part != needed)
            raise ValueError(f"a card of the kind {self.kind!r} must have {needed!r}, and must not have {others}")
        names = {source.name for source in self.sources}
        if RESERVED in names:
            raise ValueError(f"an input cannot be named {RESERVED!r}, because that key marks a batch")
        if len(names) != len(self.sources):
            raise ValueError("two features have the same name")
        return self

    @property
    def sources(self) -> tuple[Source, ...]:
        """The descriptions of the values that a client sends: the features, the text, or the picture."""
        one = self.text or self.pixels
        return (one,) if one else self.features

    @property
    def example(self) -> dict[str, Any]:
        """An example of a row, as a JSON object."""
        if self.pixels:
            return {self.pixels.name: list(self.pixels.example)}
        return {source.name: source.example for source in self.sources}


def read_card(path: Path) -> Card:
    """Read a card from a file. Raises `ModelError` if the file cannot be read or is not a valid card."""
    try:
        return Card.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"the model card cannot be read: {error.strerror}", path) from error
    except ValidationError as error:
        raise ModelError(f"not a valid model card: {one_line(error)}; correct or remove it", path) from error


def describe(value: object) -> str:
    """Return a short description of a JSON value. A string, list or object is described only by its type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value!r}" if abs(value) <= FLOAT32_MAX else "a number too large for a float32"
    names = {str: "a string", list: "a list", dict: "an object", type(None): "null"}
    return names.get(type(value), "something else")
