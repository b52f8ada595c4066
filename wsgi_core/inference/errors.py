"""The errors of the models, with messages for a client or an operator.

`ModelError` and `ModelNotFound` are about the models of a repository. `InputError` is about the data that a client
sent. `OutOfMemory` is about the memory of the machine. The errors have no HTTP status code: the service chooses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

_MAX_LENGTH = 200
_MAX_QUOTED = 100


class ModelError(Exception):
    """A model cannot be served. `reason` is one line that says what is wrong and, if known, what to do.

    `path` is the file or folder that causes the error, or None. `str(error)` begins with `path`. Clients receive
    `ModelRepository.client_text(error)` instead, because they must not see the server's absolute paths.
    """

    def __init__(self, reason: str, path: Path | None = None) -> None:
        super().__init__(reason if path is None else f"{path}: {reason}")
        self.reason = reason
        self.path = path


class ModelNotFound(LookupError):
    """The repository has no such model or version, or does not serve it."""


class OutOfMemory(MemoryError):
    """The model needs more memory for these inputs than the machine has left."""


class InputError(ValueError):
    """The input is not valid for the model.

    `message` is one line for people. `fields` is for programs: a list of missing and invalid fields, such as
    `{"field": "tenure_months", "message": "..."}`. In a batch, the name of a field begins with its row
    (`instances[3].tenure_months`). The list can be empty.
    """

    def __init__(self, message: str, fields: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.fields = list(fields)


class InvalidInput(InputError):
    """The payload has the wrong structure or number of rows, or the model cannot make a prediction from the payload."""


class MissingFeatures(InputError):
    """At least one feature is missing. The message names the missing features, at most `schema.MAX_NAMED` of them."""


class InvalidFeatures(InputError):
    """At least one value is not valid, for example because it is outside the limits.

    `InputSchema.read` raises this error only if no feature is missing. The message names at most `schema.MAX_NAMED`
    invalid values. `Model.read_row` and `input_model.read_as` also raise this error for missing values. The message
    then names all missing and all invalid values.
    """


class InvalidTensors(InputError):
    """The tensors do not match the model's signature, have too many rows, or are rejected by onnxruntime.

    This error is also raised if a text is not UTF-8, or if a requested output does not exist.
    """


class InvalidRequest(InputError):
    """The request violates the Open Inference Protocol, does not match the model, or cannot be fulfilled.

    For example, an output with NaN cannot be sent as JSON. `fields` is always empty.
    """


def quoted(text: str) -> str:
    """Return a client's string in quotes, cut after 100 characters.

    Line breaks and other characters that are not printable are escaped, so the result is one line.
    """
    return repr(text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}...")


def one_line(error: Exception) -> str:
    """Return the message of an error as one line. For an OSError, the line does not contain the path.

    A ValidationError becomes `features.0.max: Input should be a valid number; ...` and is not shortened. Any other
    message is cut after 200 characters. If the message is empty, return the name of the error's class.
    """
    if isinstance(error, ValidationError):
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(
            ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"]])) for problem in problems
        )
    text = error.strerror if isinstance(error, OSError) else None
    return " ".join(f"{text or error}".split())[:_MAX_LENGTH] or type(error).__name__
