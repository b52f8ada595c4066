"""One ONNX model: its signature, its card, and the methods that run the model.

The signature is the name, datatype and shape of each input and output. All threads share one onnxruntime session of the
model. A run releases the GIL. By default, a run computes only in the calling thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import timing
from .card import Card
from .deadline import run_session
from .errors import InvalidInput, InvalidTensors, ModelError, OutOfMemory, one_line
from .input_model import build_input_model, read_row
from .runtime import BFloat16Session, first_choice, is_out_of_memory, nodes_by_provider, open_session, reason_of
from .schema import MAX_ROWS, make_schema
from .settings import DEFAULTS, RuntimeSettings
from .tensors import TensorSpec, Unserved, check_feed, read_spec, zeros
from .work import RunStopped, Work


class Model:
    """An ONNX model that is loaded and ready to run.

    id: the name and the version, such as `churn/1`
    path: the path of model.onnx
    card: the model's card, or None
    schema: the check of JSON rows against the card, or None without a card
    input_type: the pydantic type of a JSON row, or None without a card
    inputs: the inputs that the Open Inference Protocol can carry, including inputs with a default
    outputs: the outputs that the Open Inference Protocol can carry
    unserved: the inputs and outputs that the Open Inference Protocol cannot carry
    input_name: the input that `run` uses: the input that the card names, or the first input without a card
    output_name: the output that `run` uses: the output that the card names, or the first output without a card
    nodes: maps each execution provider to the number of graph nodes that it runs
    """

    def __init__(
        self,
        name: str,
        version: str,
        path: Path,
        card: Card | None,
        max_rows: int = MAX_ROWS,
        settings: RuntimeSettings = DEFAULTS,
    ) -> None:
        """Load the model from the file `path`, and run the model as a warm-up.

        `max_rows` limits the rows of a JSON batch, unless the card sets a lower limit. Raises `ModelError` if the model
        cannot be served.
        """
        self.name = name
        self.version = version
        self.id = f"{name}/{version}"
        self.path = path
        self.card = card
        self.settings = settings
        self.schema = make_schema(card, path.parent, max_rows) if card else None
        self.input_type = build_input_model(card) if card else None
        self._session = open_session(path, settings)
        self.nodes = nodes_by_provider(self._session)
        self.inputs, self.outputs, self.unserved = self._signature()
        self._specs = {spec.name: spec for spec in self.inputs}
        self._without_value = {spec.name: None for spec in self.inputs if spec.without_value}
        self._from_maps = {spec.name for spec in self.outputs if spec.from_maps}
        if any(spec.datatype == "BF16" for spec in [*self.inputs, *self.outputs]):
            self._session = BFloat16Session(self._session)
        self.input_name, self.output_name = self._tensors()
        self._outputs = [self.output_name]
        self._ran: Callable[[str, str, float], None] = _ignore_run
        self._warm_up()
        self._ran = timing.ran

    def __repr__(self) -> str:
        return f"<Model {self.id}>"

    @property
    def is_classifier(self) -> bool:
        """Whether `classify` can be called: the prediction is one number, and the card names two classes."""
        output = self.card.output if self.card else None
        return bool(output and output.labels and output.column is not None)

    @property
    def warnings(self) -> list[str]:
        """Warnings for the operator.

        There is a warning for each input and output that is not served. If the preferred execution provider is not
        used, there is a warning too.
        """
        lines = [str(each) for each in self.unserved]
        wanted = first_choice(self.settings)
        if wanted not in self.nodes:
            lines.append(f"{wanted} runs no node of the model; the model runs on {', '.join(self.nodes)}")
        return lines

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Run the model with `batch` as the input `input_name`, and return the output `output_name`.

        Unlike `infer`, this method does not check whether `batch` matches the signature.
        """
        output: NDArray[np.float32] = self._run(self._outputs, {self.input_name: batch})[0]
        return output

    def predict(self, payload: object) -> dict[str, Any]:
        """Return the prediction for a JSON payload, which is one row or a batch.

        One row is a JSON object. Its result is `{"churn_probability": 0.64, "model_version": "churn/1"}`.

        A batch is a list of rows, or `{"instances": [...]}` with a list of rows. Its result is
        `{"predictions": [0.64, ...], "model_version": "churn/1"}`.

        Raises an `InputError` if the model has no card, if the payload is invalid, or if onnxruntime rejects the
        values. Also raises an `InputError` if a prediction is NaN or infinity. Raises `OutOfMemory` if the run needs
        too much memory. Raises `RunStopped` if the current `Work` stops the run (see the module `work`).
        """
        if self.schema is None or self.card is None:
            raise InvalidInput(f"{self.id} has no card, so its features are unknown")
        start = perf_counter()
        try:
            batch, is_batch = self.schema.read(payload)
        finally:
            timing.add("validate", perf_counter() - start)
        column = self.card.output.column
        output = self._run_batch(batch)
        if not is_batch:
            answer = output[0].tolist() if column is None else output.item(column)
            if column is None or not math.isfinite(answer):
                self._check_finite(output)
            return {self.card.output.name: answer, "model_version": self.id}
        self._check_finite(output)
        answers = output.tolist() if column is None else output[:, column].tolist()
        return {"predictions": answers, "model_version": self.id}

    def classify(self, row: dict[str, Any]) -> tuple[str, float]:
        """Return the predicted class of one row, and the probability of the second class in the card.

        `is_classifier` must be true. Raises the errors of `predict`.
        """
        assert self.card is not None
        probability: float = self.predict(row)[self.card.output.name]
        return self.card.output.label(probability), probability

    def read_row(self, payload: object) -> dict[str, Any]:
        """Check a JSON payload that is one row, and return the row without keys that the card does not name.

        Raises `InvalidFeatures` if the payload is not a JSON object, or if values are missing or invalid. Raises
        `InvalidInput` if the model has no card.
        """
        if self.card is None or self.input_type is None:
            raise InvalidInput(f"{self.id} has no card, so its features are unknown")
        with timing.phase("validate"):
            return read_row(self.card, self.input_type, payload)

    def infer(self, feed: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """Run the model on the tensors in `feed`, and return the tensors named in `outputs`, by default all outputs.

        If the ONNX type of an output is `optional` and the output has no value, the result does not contain the output.

        Raises `InvalidTensors` if `feed` does not match the signature, or exceeds the card's `max_rows`. Also raises
        `InvalidTensors` if an output does not exist, or if onnxruntime rejects the values. Raises `OutOfMemory` if the
        run needs too much memory. Raises `RunStopped` if the current `Work` stops the run (see the module `work`).
        """
        with timing.phase("validate"):
            names = self._wanted(outputs)
            checked = check_feed(self._specs, feed)
            self._check_rows(checked)
        try:
            results = self._run(names, {**self._without_value, **checked} if self._without_value else checked)
        except RunStopped:
            raise
        except Exception as error:  # onnxruntime's exceptions have no narrower common base class
            self._raise_if_out_of_memory(error)
            raise InvalidTensors(f"{self.id} cannot process these inputs: {reason_of(error)}") from error
        return {name: result for name, result in zip(names, results, strict=True) if result is not None}

    def _run(self, outputs: Sequence[str], feed: Mapping[str, Any]) -> list[Any]:
        start = perf_counter()
        results = run_session(self._session, outputs, feed)
        self._ran(self.name, self.version, perf_counter() - start)
        if self._from_maps:
            return [self._from_map(name, result) for name, result in zip(outputs, results, strict=True)]
        return results

    def _run_batch(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return `run(batch)`. Raises `OutOfMemory` or `InvalidInput` for an error of onnxruntime."""
        try:
            return self.run(batch)
        except RunStopped:
            raise
        except Exception as error:
            self._raise_if_out_of_memory(error)
            raise InvalidInput(f"{self.id} cannot process this input: {reason_of(error)}") from error

    def _raise_if_out_of_memory(self, error: Exception) -> None:
        if is_out_of_memory(error):
            raise OutOfMemory(
                f"{self.id} needs more memory for these inputs than the machine has left; send fewer rows at once"
            ) from error

    def _check_finite(self, output: NDArray[np.float32]) -> None:
        """Raise `InvalidInput` if the output contains NaN or infinity.

        The message gives the index of the first such row.
        """
        if np.isfinite(output).all():
            return
        row = int(np.flatnonzero(~np.isfinite(output.reshape(len(output), -1)).all(axis=1))[0])
        raise InvalidInput(f"{self.id} returned NaN or infinity for row {row}, which JSON cannot represent")

    def _from_map(self, name: str, result: Any) -> Any:
        """Return the output `name` of a run as an array, even if the output comes from the ONNX operator ZipMap.

        For each row, ZipMap returns a dict from class to probability. The array is float32[N, classes]. The first
        result with a row sets the `labels` of the output. Any other output is returned unchanged.
        """
        if name not in self._from_maps:
            return result
        spec = next(spec for spec in self.outputs if spec.name == name)
        if result and not spec.labels:
            labels = tuple(result[0])
            known = replace(spec, labels=labels, shape=(-1, len(labels)))
            self.outputs = [known if each is spec else each for each in self.outputs]
            spec = known
        return np.array([list(row.values()) for row in result], np.float32).reshape(len(result), len(spec.labels))

    def _wanted(self, outputs: Sequence[str] | None) -> list[str]:
        """Return `outputs` as a list, or the names of all outputs if `outputs` is None or empty.

        Raises `InvalidTensors` if the model has no output of a given name.
        """
        known = [spec.name for spec in self.outputs]
        unknown = [name for name in outputs or () if name not in known]
        if unknown:
            fields = [{"field": name, "message": "is not an output of this model"} for name in unknown]
            raise InvalidTensors(f"{self.id} has no output {', '.join(map(repr, unknown))}; it has {known}", fields)
        return list(outputs) if outputs else known

    def _check_rows(self, feed: Mapping[str, NDArray[Any]]) -> None:
        """Raise `InvalidTensors` if a tensor has more rows than the card's `max_rows`."""
        limit = self.card.max_rows if self.card else None
        if limit:
            rows = max((len(array) for array in feed.values() if array.ndim), default=0)
            if rows > limit:
                raise InvalidTensors(f"{self.id} accepts at most {limit} rows at once, got {rows}")

    def _signature(self) -> tuple[list[TensorSpec], list[TensorSpec], list[Unserved]]:
        """Return the served inputs, the served outputs, and the unserved tensors.

        A tensor is served if the Open Inference Protocol can carry it. Raises `ModelError` if an input without a
        default is unserved, or if the model has no served input or no served output.
        """
        inputs = [read_spec(tensor, "input") for tensor in self._session.get_inputs()]
        defaults = [
            read_spec(tensor, "input", has_default=True) for tensor in self._session.get_overridable_initializers()
        ]
        outputs = [read_spec(tensor, "output") for tensor in self._session.get_outputs()]
        if not inputs and not defaults:
            raise ModelError("the model has no input", self.path)
        for spec in inputs:
            if isinstance(spec, Unserved):
                raise ModelError(f"{spec}, but the model requires this input", self.path)
        if not (served_inputs := _served([*inputs, *defaults])):
            raise ModelError("; ".join(map(str, defaults)), self.path)
        if not (served := _served(outputs)):
            raise ModelError("; ".join(map(str, outputs)) or "the model has no output", self.path)
        unserved = [each for each in [*defaults, *outputs] if isinstance(each, Unserved)]
        return served_inputs, served, unserved

    def _tensors(self) -> tuple[str, str]:
        """Return the names of the input and the output that `run` uses.

        Raises `ModelError` if the card's input is not the only required input, or if the card's output does not exist.
        """
        needed = [spec.name for spec in self.inputs if not spec.optional]
        outputs = [spec.name for spec in self.outputs]
        if self.card is None:
            return self.inputs[0].name, outputs[0]
        wanted = self.card.input.tensor, self.card.output.tensor
        if needed != [wanted[0]] or wanted[1] not in outputs:
            raise ModelError(
                f"the card does not match the file: the card names input {wanted[0]!r} and output {wanted[1]!r}, "
                f"the file has the required inputs {needed} and the outputs {outputs}",
                self.path,
            )
        return wanted

    def _warm_up(self) -> None:
        """Run the model, because the first run of an onnxruntime session is slower than later runs.

        Raises `ModelError` if the model fails for the example in its card. The deadline of a request does not stop
        these runs.
        """
        with Work():
            if self.card is None or self._from_maps:
                self._try_zeros()
            if self.card is None:
                return
            try:
                self.predict(self.card.example)
                self.predict([self.card.example] * 2)
            except Exception as error:
                reason = one_line(error) if isinstance(error, InvalidInput) else reason_of(error)
                raise ModelError(f"the model fails for the example in its card: {reason}", self.path) from error

    def _try_zeros(self) -> None:
        """Run the model on zeros, and compute all outputs. Errors are ignored."""
        feed = {spec.name: zeros(spec) for spec in self.inputs if not spec.optional}
        try:
            self._run([spec.name for spec in self.outputs], {**self._without_value, **feed})
        except Exception:
            return  # the model may reject zeros; then the first run for a client is slower


def _served(specs: Iterable[TensorSpec | Unserved]) -> list[TensorSpec]:
    return [spec for spec in specs if isinstance(spec, TensorSpec)]


def _ignore_run(name: str, version: str, seconds: float) -> None:
    """Do nothing. During the warm-up, this function replaces `timing.ran`, which would report the run."""
