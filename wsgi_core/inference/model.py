"""One model: its session, its signature, its card, and the ways of asking it.

A session is made once and shared by all threads: `run` releases the GIL, and no run changes the session. By default a
run computes in the thread that calls it, because for small models handing work to other threads costs more than the
work.
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
from .deadline import Deadline, RunStopped, run_session
from .errors import InvalidInput, InvalidTensors, ModelError, OutOfMemory, first_line
from .input_model import build_input_model, read_row
from .runtime import BFloat16Session, first_choice, is_out_of_memory, nodes_by_provider, open_session, reason_of
from .schema import MAX_ROWS, make_schema
from .settings import DEFAULTS, RuntimeSettings
from .tensors import TensorSpec, Unserved, check_feed, read_spec, zeros


class Model:
    """A loaded model, warmed up.

    Model: name, version, id, path, card
    What a row is, by the card: schema, input_type (a pydantic type; both None without a card)
    Signature: inputs (those with a default too), outputs, unserved (what the protocol cannot carry)
    What the card names, by default the first: input_name, output_name
    Where it runs: nodes (how many nodes of its graph each execution provider runs)
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
        """Load the model and run it once. Raises `ModelError` if the file is not a model or does not fit the card."""
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
        self._ran: Callable[[str, str, float], None] = _not_counted
        self._warm_up()
        self._ran = timing.ran

    def __repr__(self) -> str:
        return f"<Model {self.id}>"

    @property
    def is_classifier(self) -> bool:
        """Whether the card has the two classes of one probability, so that `classify` works."""
        output = self.card.output if self.card else None
        return bool(output and output.labels and output.column is not None)

    @property
    def warnings(self) -> list[str]:
        """What an operator should know: parts that are not served, and a provider that does not run the model."""
        lines = [str(each) for each in self.unserved]
        wanted = first_choice(self.settings)
        if wanted not in self.nodes:
            lines.append(f"{wanted} runs no part of it; it fell back to {', '.join(self.nodes)}")
        return lines

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return the output tensor that the card names (without a card: the first one) for float32[N, M].

        A model of texts takes token ids (int64[N, M]) instead. A batch of another type or width raises onnxruntime's
        own `InvalidArgument`. `infer` is for input that has not been checked yet.
        """
        output: NDArray[np.float32] = self._run(self._outputs, {self.input_name: batch})[0]
        return output

    def predict(self, payload: object) -> dict[str, Any]:
        """Return the prediction for a JSON payload: an object of features, a list of objects, or such `instances`.

        One object: `{"churn_probability": 0.64, "model_version": "churn/1"}`. A batch:
        `{"predictions": [0.64, ...], "model_version": "churn/1"}`, in the order of the rows, from one run.
        Raises an `InputError` that names whatever is wrong with the payload, or the rows for which the model answers
        NaN or infinity, which JSON cannot hold.
        """
        if self.schema is None or self.card is None:
            raise InvalidInput(f"{self.id} has no card that says which features it takes")
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
        """Return the class of a valid row, and the probability of the second class (approved, positive)."""
        assert self.card is not None
        probability: float = self.predict(row)[self.card.output.name]
        return self.card.output.label(probability), probability

    def read_row(self, payload: object) -> dict[str, Any]:
        """Return one row of a JSON payload, checked, with nothing but what the card asks for.

        Raises `InvalidFeatures` with everything that is missing or wrong, `InvalidInput` if the model has no card.
        """
        if self.card is None or self.input_type is None:
            raise InvalidInput(f"{self.id} has no card that says which features it takes")
        with timing.phase("validate"):
            return read_row(self.card, self.input_type, payload)

    def infer(self, feed: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """Return the named outputs (by default all) for tensors, which are checked against the signature.

        An ONNX `optional` that has no value is left out of the result.
        Raises `InvalidTensors` that names every input that is unknown, missing, or of another type or shape, an
        output that the model does not have, or what onnxruntime says against the values; `OutOfMemory`.
        """
        with timing.phase("validate"):
            names = self._wanted(outputs)
            checked = check_feed(self._specs, feed)
            self._check_rows(checked)
        try:
            results = self._run(names, {**self._without_value, **checked} if self._without_value else checked)
        except RunStopped:
            raise
        except Exception as error:  # onnxruntime's exceptions have no common base but this one
            self._refuse_memory(error)
            raise InvalidTensors(f"{self.id} cannot compute these inputs: {reason_of(error)}") from error
        return {name: result for name, result in zip(names, results, strict=True) if result is not None}

    def _run(self, outputs: Sequence[str], feed: Mapping[str, Any]) -> list[Any]:
        start = perf_counter()
        results = run_session(self._session, outputs, feed)
        self._ran(self.name, self.version, perf_counter() - start)
        if self._from_maps:
            return [self._from_map(name, result) for name, result in zip(outputs, results, strict=True)]
        return results

    def _run_batch(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return `run(batch)`. Raises `OutOfMemory` or `InvalidInput` in place of onnxruntime's error."""
        try:
            return self.run(batch)
        except RunStopped:
            raise
        except Exception as error:
            self._refuse_memory(error)
            raise InvalidInput(f"{self.id} cannot compute this input: {reason_of(error)}") from error

    def _refuse_memory(self, error: Exception) -> None:
        """Raise `OutOfMemory` if an error says that memory could not be had."""
        if is_out_of_memory(error):
            raise OutOfMemory(
                f"{self.id} needs more memory for these inputs than the machine has left; send fewer rows at once"
            ) from error

    def _check_finite(self, output: NDArray[np.float32]) -> None:
        """Raise `InvalidInput` that names the first row with NaN or infinity."""
        if np.isfinite(output).all():
            return
        row = int(np.flatnonzero(~np.isfinite(output.reshape(len(output), -1)).all(axis=1))[0])
        raise InvalidInput(f"{self.id} answers row {row} with NaN or infinity, which JSON cannot hold")

    def _from_map(self, name: str, result: Any) -> Any:
        """Return the probabilities of a classifier (a map from class to probability for each row) as float32[N, K]."""
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
        """Return the names of the outputs to compute; none named means all."""
        known = [spec.name for spec in self.outputs]
        unknown = [name for name in outputs or () if name not in known]
        if unknown:
            fields = [{"field": name, "message": "is not an output of this model"} for name in unknown]
            raise InvalidTensors(f"{self.id} has no output {', '.join(map(repr, unknown))}; it has {known}", fields)
        return list(outputs) if outputs else known

    def _check_rows(self, feed: Mapping[str, NDArray[Any]]) -> None:
        """Raise `InvalidTensors` for a batch beyond the card's `max_rows`, where each row takes much memory."""
        limit = self.card.max_rows if self.card else None
        if limit:
            rows = max((len(array) for array in feed.values() if array.ndim), default=0)
            if rows > limit:
                raise InvalidTensors(f"{self.id} takes at most {limit} rows at once, got {rows}")

    def _signature(self) -> tuple[list[TensorSpec], list[TensorSpec], list[Unserved]]:
        """Return inputs, outputs, and what the protocol cannot carry. Raises `ModelError` if the rest is not enough."""
        inputs = [read_spec(tensor, "input") for tensor in self._session.get_inputs()]
        defaults = [
            read_spec(tensor, "input", has_default=True) for tensor in self._session.get_overridable_initializers()
        ]
        outputs = [read_spec(tensor, "output") for tensor in self._session.get_outputs()]
        if not inputs and not defaults:
            raise ModelError("the model takes no input", self.path)
        for spec in inputs:
            if isinstance(spec, Unserved):
                raise ModelError(f"{spec}, and the model does not run without it", self.path)
        if not (served := _served(outputs)):
            raise ModelError("; ".join(map(str, outputs)) or "the model has no output", self.path)
        unserved = [each for each in [*defaults, *outputs] if isinstance(each, Unserved)]
        return _served([*inputs, *defaults]), served, unserved

    def _tensors(self) -> tuple[str, str]:
        """Return the names of the input and the output: the card's, if the graph has them."""
        needed = [spec.name for spec in self.inputs if not spec.optional]
        outputs = [spec.name for spec in self.outputs]
        if self.card is None:
            return self.inputs[0].name, outputs[0]
        wanted = self.card.input.tensor, self.card.output.tensor
        if needed != [wanted[0]] or wanted[1] not in outputs:
            raise ModelError(
                f"the card wants input {wanted[0]!r} and output {wanted[1]!r}, "
                f"the file has {needed} and {outputs}; the card and the file do not belong together",
                self.path,
            )
        return wanted

    def _warm_up(self) -> None:
        """Run once, so that the first client does not wait for what onnxruntime defers until then.

        The client that caused the load may have gone by now. That says nothing about the model, so it is ignored.
        """
        with Deadline(math.inf):
            if self.card is None or self._from_maps:
                self._try_zeros()
            if self.card is None:
                return
            try:
                self.predict(self.card.example)
                self.predict([self.card.example] * 2)
            except Exception as error:
                reason = first_line(error) if isinstance(error, InvalidInput) else reason_of(error)
                raise ModelError(f"does not run with its card: {reason}", self.path) from error

    def _try_zeros(self) -> None:
        """Run with zeros of the declared type, because the input of a model without a card can only be guessed."""
        feed = {spec.name: zeros(spec) for spec in self.inputs if not spec.optional}
        try:
            self._run([spec.name for spec in self.outputs], {**self._without_value, **feed})
        except Exception:
            return  # the guess was wrong, which says nothing about the model: its first request will be slower


def _served(specs: Iterable[TensorSpec | Unserved]) -> list[TensorSpec]:
    return [spec for spec in specs if isinstance(spec, TensorSpec)]


def _not_counted(name: str, version: str, seconds: float) -> None:
    """Ignore a run that is made before the model is ready."""
