"""The exceptions about models and their input, with messages for clients and operators.

The exceptions have no HTTP status code, because the service chooses the status code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

_MAX_LENGTH = 200
_MAX_QUOTED = 100


class ModelError(Exception):
    """A model cannot be served.

    `reason` is one line of text. `path` is the file or folder that causes the error, or None. Clients must receive
    `ModelRepository.client_text(error)` instead of `str(error)`, which contains `path`.
    """

    def __init__(self, reason: str, path: Path | None = None) -> None:
        super().__init__(reason if path is None else f"{path}: {reason}")
        self.reason = reason
        self.path = path


class ModelNotFound(LookupError):
    """The repository does not serve the requested model or version."""


class OutOfMemory(MemoryError):
    """The model needs more memory for these inputs than the machine has left."""


class InputError(ValueError):
    """The input is not valid for the model.

    `message` is for people. `fields` is for programs: a list of the missing and invalid fields, each as
    `{"field": "tenure_months", "message": "is missing"}`. `fields` can be empty. In a batch, the name of a field begins
    with its row, such as `instances[3].tenure_months`.
    """

    def __init__(self, message: str, fields: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.fields = list(fields)


class InvalidInput(InputError):
    """The payload has the wrong structure or number of rows, or the model cannot make a prediction from the payload."""


class MissingFeatures(InputError):
    """At least one feature is missing in the payload. The message names at most `schema.MAX_NAMED` missing features."""


class InvalidFeatures(InputError):
    """At least one value is invalid.

    `Model.read_row` and `input_model.read_as` also raise this error for missing values.
    """


class InvalidTensors(InputError):
    """The tensors do not match the signature of the model, have too many rows, or are rejected by onnxruntime.

    This error is also raised if a requested output does not exist.
    """


class InvalidRequest(InputError):
    """A request of the Open Inference Protocol is invalid, or its outputs cannot be sent as JSON.

    `fields` is always empty.
    """


def quoted(text: str) -> str:
    """Return `text` in quotes on one line, cut after 100 characters. Characters that are not printable are escaped."""
    return repr(text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}...")


def one_line(error: Exception) -> str:
    """Return the message of `error` on one line, or the name of the error's class if the message is empty.

    The line is cut after 200 characters, except for a pydantic ValidationError. If an OSError has a `strerror`, only
    `strerror` is returned, because the full message contains the path.
    """
    if isinstance(error, ValidationError):
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(
            ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"]])) for problem in problems
        )
    text = error.strerror if isinstance(error, OSError) else None
    return " ".join(f"{text or error}".split())[:_MAX_LENGTH] or type(error).__name__
