"""The input of a model as a pydantic type, which is built from the model's card.

The type describes the input in OpenAPI, and finds all problems of a single row. `InputSchema` accepts the same rows,
and is faster for valid rows.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.config import JsonDict

from .card import Card, Feature, Pixels, Source, Text, describe
from .errors import InvalidFeatures

Input = TypeVar("Input", bound=BaseModel)

WHOLE = "body"
"""The value of `field` in an error that is about the whole payload."""


class RowInput(BaseModel):
    """The base class of the input types. Strings are not converted to numbers. Keys that are not fields are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


def build_input_model(card: Card) -> type[RowInput]:
    """Return the pydantic type of one row, with a field for each feature, or a single field for the text or picture.

    The names in the card become aliases of the fields, because a name can be an invalid Python identifier.
    """
    fields: dict[str, Any] = {
        f"field_{number}": (
            _type(source), Field(alias=source.name, description=source.description, examples=[_example(source)])
        )
        for number, source in enumerate(card.sources)
    }  # fmt: skip
    return create_model(card.name, __base__=RowInput, __doc__=card.description, **fields)


def read_row(card: Card, input_type: type[RowInput], payload: object) -> dict[str, Any]:
    """Check a JSON payload that is one row, and return the row without keys that the card does not name.

    Numbers are returned as floats. Raises `InvalidFeatures` if the payload is not a JSON object, or if values are
    missing or invalid. The error names all missing and all invalid values.
    """
    if type(payload) is not dict:
        fields = [{"field": WHOLE, "message": f"must be an object, got {describe(payload)}"}]
    else:
        try:
            return input_type.model_validate(payload).model_dump(by_alias=True)
        except ValidationError as error:
            names = {problem["loc"][0] for problem in error.errors(include_url=False, include_input=False)}
            fields = [_problem(source, payload) for source in card.sources if source.name in names]
    raise _invalid(fields)


def read_as(input_type: type[Input], payload: object) -> Input:
    """Return a JSON payload as an instance of a pydantic type.

    Raises `InvalidFeatures` if the payload is not valid. The error names all missing and all invalid fields.
    """
    try:
        return input_type.model_validate(payload)
    except ValidationError as error:
        fields = [
            {
                "field": ".".join(map(str, problem["loc"])) or WHOLE,
                "message": "is missing" if problem["type"] == "missing" else problem["msg"],
            }
            for problem in error.errors(include_url=False, include_input=False)
        ]
    raise _invalid(fields)


def _invalid(fields: list[dict[str, str]]) -> InvalidFeatures:
    text = "; ".join(f"{field['field']} {field['message']}" for field in fields)
    return InvalidFeatures(f"invalid input: {text}", fields)


def _problem(source: Source, payload: dict[str, Any]) -> dict[str, str]:
    """Return an entry for the `fields` of an error: the name of one value, and a message made from the card."""
    if source.name not in payload:
        return {"field": source.name, "message": "is missing"}
    rejected = source.describe_rejected(payload[source.name])
    return {"field": source.name, "message": f"must be {source.expected}, got {rejected}"}


def _type(source: Source) -> Any:
    """Return the pydantic annotation of a field: the type and the limits."""
    match source:
        case Text():
            return Annotated[str, Field(min_length=1, max_length=source.max_characters)]
        case Pixels():
            size = source.height * source.width
            number = Annotated[float, Field(ge=source.min, le=source.max)]
            return Annotated[list[number], Field(min_length=size, max_length=size)]
        case Feature() if source.allowed:
            check = AfterValidator(partial(_one_of, source.allowed))
            return Annotated[float, check, Field(json_schema_extra={"enum": list(source.allowed)})]
        case Feature():
            extra: JsonDict = {"x-unit": source.unit} if source.unit else {}
            return Annotated[float, Field(ge=source.low, le=source.high, json_schema_extra=extra)]


def _one_of(allowed: tuple[float, ...], value: float) -> float:
    if value not in allowed:
        raise ValueError("not allowed")
    return value


def _example(source: Source) -> Any:
    return list(source.example) if isinstance(source, Pixels) else source.example
