"""One model: its session, its signature, its card, and the ways of asking it.

A session is made once and shared by all threads: `run` gives up the interpreter lock, and nothing in it
is changed by a run. It computes in the thread that calls it, for with trees as small as these handing work to
other threads costs more than the work.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import timing
from .card import Card
from .deadline import Deadline, Stopped, run_session
from .declared import declare, read_row
from .errors import InvalidInput, InvalidTensors, ModelError, first_line
from .schema import MAX_ROWS, make_schema
from .tensors import TensorSpec, check_feed, read_spec, zeros

# NOTE: onnxruntime looks at this when it is imported, and would otherwise write a device id and a database
# into the user's cache folder. Its own disable_telemetry_events() comes too late for that.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Not what a client did wrong either: that is raised, and answered.
FATAL_ONLY = 4


class Model:
    """A loaded model, warmed up.

    Model: name, version, id, path, card
    What a row is, by the card: schema, input_type (a pydantic type; both None without a card)
    Signature: inputs, outputs
    What the card names, by default the first: input_name, output_name
    """

    def __init__(self, name: str, version: str, path: Path, card: Card | None, max_rows: int = MAX_ROWS) -> None:
        """Load and run it once. Raises `ModelError` if the file is no model or does not fit the card."""
        self.name = name
        self.version = version
        self.id = f"{name}/{version}"
        self.path = path
        self.card = card
        self.schema = make_schema(card, path.parent, max_rows) if card else None
        self.input_type = declare(card) if card else None
        self._session = open_session(path)
        self.inputs, self.outputs = self._signature()
        self._specs = {spec.name: spec for spec in self.inputs}
        self.input_name, self.output_name = self._tensors()
        self._outputs = [self.output_name]
        self._ran: Callable[[str, str, float], None] = _not_counted
        self._warm_up()
        self._ran = timing.ran

    def __repr__(self) -> str:
        return f"<Model {self.id}>"

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """The output tensor that the card names (without a card: the first one) for float32[N, M].

        Token ids (int64[N, M]) instead for a model of texts. A batch of another type or width raises onnxruntime's
        own `InvalidArgument`; `infer` is for input that nobody has checked yet.
        """
        output: NDArray[np.float32] = self._run(self._outputs, {self.input_name: batch})[0]
        return output

    def predict(self, payload: object) -> dict[str, Any]:
        """Answer what JSON gave: an object of features, a list of objects, or that list under `instances`.

        One object: `{"churn_probability": 0.64, "model_version": "churn/1"}`. A batch:
        `{"predictions": [0.64, ...], "model_version": "churn/1"}`, in the order of the rows, from one run.
        Raises an `InputError` that names whatever is wrong with the payload.
        """
        if self.schema is None or self.card is None:
            raise InvalidInput(f"{self.id} has no card that says which features it takes")
        start = perf_counter()
        try:
            batch, is_batch = self.schema.read(payload)
        finally:
            timing.add("validate", perf_counter() - start)
        column = self.card.output.column
        output = self.run(batch)
        if is_batch:
            answers = output.tolist() if column is None else output[:, column].tolist()
            return {"predictions": answers, "model_version": self.id}
        answer = output[0].tolist() if column is None else output.item(column)
        return {self.card.output.name: answer, "model_version": self.id}

    def read_row(self, payload: object) -> dict[str, Any]:
        """One row out of JSON, checked, with nothing but what the card asks for.

        Raises `InvalidFeatures` with all that is missing or wrong, `InvalidInput` if the model has no card.
        """
        if self.card is None or self.input_type is None:
            raise InvalidInput(f"{self.id} has no card that says which features it takes")
        with timing.phase("validate"):
            return read_row(self.card, self.input_type, payload)

    def infer(self, feed: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """The named outputs (by default all) for raw tensors, which are checked against the signature.

        Raises `InvalidTensors` that names every input that is unknown, missing, or of another type or shape, an
        output that the model does not have, or what the model itself said against the values.
        """
        with timing.phase("validate"):
            names = self._wanted(outputs)
            checked = check_feed(self._specs, feed)
            self._check_rows(checked)
        try:
            results = self._run(names, checked)
        except Stopped:
            raise
        except Exception as error:  # its exceptions have no common class but this one
            raise InvalidTensors(f"{self.id} cannot take these inputs: {_status(error)}") from error
        return dict(zip(names, results, strict=True))

    def _run(self, outputs: Sequence[str], feed: Mapping[str, Any]) -> list[Any]:
        start = perf_counter()
        results = run_session(self._session, outputs, feed)
        self._ran(self.name, self.version, perf_counter() - start)
        return results

    def _wanted(self, outputs: Sequence[str] | None) -> list[str]:
        """The names of the outputs to compute; none named means all."""
        known = [spec.name for spec in self.outputs]
        unknown = [name for name in outputs or () if name not in known]
        if unknown:
            fields = [{"field": name, "message": "is no output of this model"} for name in unknown]
            raise InvalidTensors(f"{self.id} has no output {', '.join(map(repr, unknown))}; it has {known}", fields)
        return list(outputs) if outputs else known

    def _check_rows(self, feed: Mapping[str, NDArray[Any]]) -> None:
        """Raise `InvalidTensors` for a batch beyond the card's `max_rows`, where each row takes much memory."""
        limit = self.card.max_rows if self.card else None
        if limit:
            rows = max((len(array) for array in feed.values() if array.ndim), default=0)
            if rows > limit:
                raise InvalidTensors(f"{self.id} takes at most {limit} rows at once, got {rows}")

    def _signature(self) -> tuple[list[TensorSpec], list[TensorSpec]]:
        """Inputs and outputs; outputs that are no tensors (sequences, maps) are left out."""
        inputs = [(tensor, read_spec(tensor)) for tensor in self._session.get_inputs()]
        outputs = [spec for tensor in self._session.get_outputs() if (spec := read_spec(tensor))]
        if not inputs:
            raise ModelError(f"{self.path}: the model takes no input")
        for tensor, spec in inputs:
            if spec is None:
                raise ModelError(f"{self.path}: the input {tensor.name!r} is a {tensor.type}, which cannot be sent")
        if not outputs:
            raise ModelError(f"{self.path}: no output is a tensor; export it without ZipMap")
        return [spec for _, spec in inputs if spec], outputs

    def _tensors(self) -> tuple[str, str]:
        """The names of the input and the output; the card's, if the graph has them."""
        inputs = [spec.name for spec in self.inputs]
        outputs = [spec.name for spec in self.outputs]
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
        """Run once, so that the first client does not wait for what the runtime puts off until then.

        Whoever asked for the model to be loaded may have left by now; that says nothing about the model.
        """
        if self.card is None:
            _try_zeros(self._session, self.inputs)
            return
        try:
            with Deadline(math.inf):
                self.predict(self.card.example)
                self.predict([self.card.example] * 2)
        except Exception as error:
            raise ModelError(f"{self.path}: does not run with its card: {first_line(error)}") from error


def open_session(path: Path) -> Any:
    """A quiet one-thread session; raises `ModelError` if the file cannot be read or is no model."""
    onnxruntime = _import_runtime()
    onnxruntime.set_default_logger_severity(FATAL_ONLY)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL_ONLY
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class but this one
        raise ModelError(
            f"{path}: not a model that can be loaded: {first_line(error)}; build it again or remove it"
        ) from error


def _not_counted(name: str, version: str, seconds: float) -> None:
    """What a run before the model is ready counts for."""


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


def _status(error: Exception) -> str:
    """What onnxruntime says against the input, without its own source paths and its log codes."""
    text = " ".join(f"{error}".split()).rpartition("Status Message: ")[2]
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : |\S+\.(?:cc|h):\d+\s", "", text)[:200]


def _try_zeros(session: Any, inputs: Sequence[TensorSpec]) -> None:
    """Warm up a model without a card, whose input can only be guessed: zeros of the declared type."""
    try:
        session.run(None, {spec.name: zeros(spec) for spec in inputs})
    except Exception:
        return  # the guess was wrong, which says nothing about the model: its first request will be slower
