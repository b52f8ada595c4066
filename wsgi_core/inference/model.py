"""One model: its session, its card, and the two ways of asking it.

A session is made once and shared by all threads: `run` gives up the interpreter lock, and nothing in it
is changed by a run. It computes in the thread that calls it, for with trees as small as these handing work to
other threads costs more than the work.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .card import Card
from .errors import InvalidInput, ModelError
from .schema import MAX_ROWS, InputSchema

# NOTE: onnxruntime looks at this when it is imported, and would otherwise write a device id and a database
# into the user's cache folder. Its own disable_telemetry_events() comes too late for that.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

ERRORS_ONLY = 3

_NUMPY_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


class Model:
    """A loaded model, warmed up.

    Model: name, version, id, path, card
    Session: input_name, output_name
    """

    def __init__(self, name: str, version: str, path: Path, card: Card | None, max_rows: int = MAX_ROWS) -> None:
        """Load and run it once. Raises `ModelError` if the file is no model or does not fit the card."""
        self.name = name
        self.version = version
        self.id = f"{name}/{version}"
        self.path = path
        self.card = card
        self.schema = InputSchema(card, max_rows) if card else None
        self._session = open_session(path)
        self.input_name, self.output_name = self._tensors()
        self._outputs = [self.output_name]
        self._warm_up()

    def __repr__(self) -> str:
        return f"<Model {self.id}>"

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The output tensor that the card names (without a card: the first one) for float32[N, M].

        A batch of another type or width raises onnxruntime's own `InvalidArgument`.
        """
        output: NDArray[np.float32] = self._session.run(self._outputs, {self.input_name: batch})[0]
        return output

    def predict(self, payload: object) -> dict[str, Any]:
        """Answer what JSON gave: an object of features, a list of objects, or that list under `instances`.

        One object: `{"churn_probability": 0.64, "model_version": "churn/1"}`. A batch:
        `{"predictions": [0.64, ...], "model_version": "churn/1"}`, in the order of the rows, from one run.
        Raises an `InputError` that names whatever is wrong with the payload.
        """
        if self.schema is None or self.card is None:
            raise InvalidInput(f"{self.id} has no card that says which features it takes")
        batch, is_batch = self.schema.read(payload)
        column = self.card.output.column
        output = self.run(batch)
        if is_batch:
            answers = output.tolist() if column is None else output[:, column].tolist()
            return {"predictions": answers, "model_version": self.id}
        answer = output[0].tolist() if column is None else output.item(column)
        return {self.card.output.name: answer, "model_version": self.id}

    def _tensors(self) -> tuple[str, str]:
        """The names of the input and the output; the card's, if the graph has them."""
        inputs = [tensor.name for tensor in self._session.get_inputs()]
        outputs = [tensor.name for tensor in self._session.get_outputs()]
        if not inputs:
            raise ModelError(f"{self.path}: the model takes no input")
        if self.card is None:
            return inputs[0], outputs[0]
        wanted = self.card.input.tensor, self.card.output.tensor
        if inputs != [wanted[0]] or wanted[1] not in outputs:
            raise ModelError(
                f"{self.path}: the card wants input {wanted[0]!r} and output {wanted[1]!r}, "
                f"the file has {inputs} and {outputs}; the card and the file do not belong together"
            )
        return wanted

    def _warm_up(self) -> None:
        """Run once, so that the first client does not wait for what the runtime puts off until then."""
        if self.card is None:
            _try_zeros(self._session)
            return
        try:
            self.predict(self.card.example)
            self.predict([self.card.example] * 2)
        except Exception as error:
            raise ModelError(f"{self.path}: does not run with its card: {first_line(error)}") from error


def open_session(path: Path) -> Any:
    """A quiet one-thread session; raises `ModelError` if the file cannot be read or is no model."""
    onnxruntime = _import_runtime()
    onnxruntime.set_default_logger_severity(ERRORS_ONLY)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class but this one
        raise ModelError(
            f"{path}: not a model that can be loaded: {first_line(error)}; build it again or remove it"
        ) from error


def _import_runtime() -> Any:
    """onnxruntime, imported with the first model; `ModelError` if the machine lacks what it needs."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            f"onnxruntime cannot be imported: {first_line(error)}; install it with pip "
            "(Windows: a recent Visual C++ runtime too, as in pip's msvc-runtime)"
        ) from error
    return onnxruntime


def first_line(error: Exception) -> str:
    """What an error says, in one line of at most 200 characters."""
    return " ".join(f"{error}".split())[:200] or type(error).__name__


def _try_zeros(session: Any) -> None:
    """Warm up a model without a card, whose input can only be guessed: zeros of the declared type."""
    feed: dict[str, NDArray[Any]] = {
        tensor.name: np.zeros(
            [size if isinstance(size, int) else 1 for size in tensor.shape],
            _NUMPY_TYPES.get(tensor.type, np.float32),
        )
        for tensor in session.get_inputs()
    }
    try:
        session.run(None, feed)
    except Exception:
        return  # the guess was wrong, which says nothing about the model: its first request will be slower
