"""The errors of the models, with messages for a client or an operator.

`ModelError` and `ModelNotFound` are about the models on the disk. `InputError` is about the data that a client sent.
`OutOfMemory` is about the machine. The errors do not know HTTP: the service chooses the status code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

_LONGEST = 200
_LONGEST_NAME = 100


class ModelError(Exception):
    """A model cannot be served. `reason` is one line that says what is wrong and what to do.

    `path` is the file or folder that causes the error. The text of the error begins with `path`. Clients receive
    `ModelRepository.client_text(error)` instead, because they must not see absolute paths of the server.
    """

    def __init__(self, reason: str, path: Path | None = None) -> None:
        super().__init__(reason if path is None else f"{path}: {reason}")
        self.reason = reason
        self.path = path


class ModelNotFound(LookupError):
    """The repository has no model of this name, or the model does not have this version."""


class OutOfMemory(MemoryError):
    """The model needs more memory for these inputs than the machine has left."""


class InputError(ValueError):
    """The input does not fit the model.

    `message` is one line for people. `fields` is the same error for programs, a list of
    `{"field": "tenure_months", "message": "..."}`. In a batch, the name of the field contains the row
    (`instances[3].tenure_months`). The list is empty if the error does not concern a single field.
    """

    def __init__(self, message: str, fields: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.fields = list(fields)


class InvalidInput(InputError):
    """The payload is not an object or a list of objects, has too many rows, or cannot be computed by the model."""


class MissingFeatures(InputError):
    """At least one feature is missing. The message names every missing feature."""


class InvalidFeatures(InputError):
    """At least one value does not have the type or the limits of the card. The message names every such value."""


class InvalidTensors(InputError):
    """The tensors do not fit the signature, or the model cannot compute them. The message names every problem."""


class InvalidRequest(InputError):
    """The request, or a part of it, breaks the rules of the Open Inference Protocol."""


def quoted(text: str) -> str:
    """Quote and shorten a string that a client sent, so that it fits in one line of a message."""
    return repr(text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}...")


def first_line(error: Exception) -> str:
    """Return the message of an error as one line. The message of an OSError does not contain its path.

    A ValidationError becomes `features.0.max: Input should be a valid number; ...` and is not shortened. The message of
    any other error is cut after 200 characters.
    """
    if isinstance(error, ValidationError):
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(
            ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"]])) for problem in problems
        )
    text = error.strerror if isinstance(error, OSError) else None
    return " ".join(f"{text or error}".split())[:_LONGEST] or type(error).__name__
