"""The errors of the models, in words for a client or an operator.

`ModelError` and `ModelNotFound` are about the models on the disk. `InputError` is about the data that a client sent.
`OutOfMemory` is about the machine. None of them knows HTTP: the service chooses the status.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

_LONGEST = 200
_LONGEST_NAME = 100


class ModelError(Exception):
    """A model that cannot be served. `reason` is one line that says what is wrong and what to do.

    `path` is the file or folder that is to blame. The text of the error begins with it. A client gets
    `ModelRepository.inside(error)` instead, because a path of the machine is not for clients.
    """

    def __init__(self, reason: str, path: Path | None = None) -> None:
        super().__init__(reason if path is None else f"{path}: {reason}")
        self.reason = reason
        self.path = path


class ModelNotFound(LookupError):
    """The repository has no model of this name, or no such version of it."""


class OutOfMemory(MemoryError):
    """The model needs more memory for these inputs than the machine has left."""


class InputError(ValueError):
    """The input does not fit the model.

    `message` is one line for people. `fields` says the same for programs, as a list of
    `{"field": "tenure_months", "message": "..."}`. A row of a batch is part of the field's name
    (`instances[3].tenure_months`). The list is empty if no single field is to blame.
    """

    def __init__(self, message: str, fields: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.fields = list(fields)


class InvalidInput(InputError):
    """The payload is not an object of features and not a list of such objects, or it has too many rows."""


class MissingFeatures(InputError):
    """At least one feature is missing. The message names every missing feature."""


class InvalidFeatures(InputError):
    """A value is not what the card asks for. The message names every such value."""


class InvalidTensors(InputError):
    """The tensors do not fit the model's signature. The message names everything that is wrong with them."""


class InvalidRequest(InputError):
    """The request, or a part of it, breaks the rules of the Open Inference Protocol."""


def quoted(text: str) -> str:
    """Return a name that a client chose, in quotes and never longer than a line."""
    return repr(text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}...")


def first_line(error: Exception) -> str:
    """Return what an error says in one line, without the paths that an OSError repeats.

    A ValidationError becomes `features.0.max: Input should be a valid number; ...`, in full. Every other error is cut
    after 200 characters.
    """
    if isinstance(error, ValidationError):
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(
            ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"]])) for problem in problems
        )
    said = error.strerror if isinstance(error, OSError) else None
    return " ".join(f"{said or error}".split())[:_LONGEST] or type(error).__name__
