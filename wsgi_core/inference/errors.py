"""What can go wrong around a model, in the words that a client or an operator gets to read.

Two families: `ModelError` and `ModelNotFound` are about the models on the disk, `InputError` is about what
a client sent. None of them knows of HTTP; the service chooses the status.
"""

from __future__ import annotations

from collections.abc import Sequence


class ModelError(Exception):
    """A model cannot be served. The text is one line: what is wrong, where, and what to do."""


class ModelNotFound(LookupError):
    """No model of this name, or no such version of it, in the repository."""


class InputError(ValueError):
    """What a client sent does not fit the model.

    `message` is one line for people; `fields` says the same by field, for programs: a list of
    `{"field": "tenure_months", "message": "..."}`, in which a row of a batch shows in the name of the field
    (`instances[3].tenure_months`). It is empty where no single field is to blame.
    """

    def __init__(self, message: str, fields: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.fields = list(fields)


class InvalidInput(InputError):
    """Not an object of features, nor a list of such objects, or too many of them."""


class MissingFeatures(InputError):
    """At least one feature is not there; the message names all that are missing."""


class InvalidFeatures(InputError):
    """Every feature is there, but some value is not what the card asks for; the message names all of them."""


class InvalidTensors(InputError):
    """Raw tensors that do not fit the model's signature; the message names all that is wrong with them."""


def first_line(error: Exception) -> str:
    """What an error says, in one line of at most 200 characters."""
    return " ".join(f"{error}".split())[:200] or type(error).__name__
