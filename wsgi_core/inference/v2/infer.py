"""One inference: the request read, the model run, the answer written, and the time of each counted."""

from __future__ import annotations

import time

from .. import timing
from ..model import Model
from .answer import Answer, write_answer
from .request import InferRequest, read_infer_request
from .statistics import Statistics


def infer(model: Model, body: bytes, header_length: str | None, statistics: Statistics) -> Answer:
    """The model's answer to the body of an infer request; `header_length` says where its JSON ends.

    Raises an `InputError` for whatever is wrong with the request.
    """
    start = time.perf_counter_ns()
    try:
        asked = read_infer_request(body, header_length, model)
        read = time.perf_counter_ns()
        results = model.infer(asked.feed, list(asked.outputs))
        inferred = time.perf_counter_ns()
        answer = write_answer(model, asked, results)
    except Exception:
        statistics.failure(model, time.perf_counter_ns() - start)
        raise
    written = time.perf_counter_ns()
    timing.add("parse", (read - start) / 1e9)
    timing.add("encode", (written - inferred) / 1e9)
    statistics.success(model, _rows(model, asked), read - start, inferred - read, written - inferred)
    return answer


def _rows(model: Model, asked: InferRequest) -> int:
    """How many rows were asked about: the first dimension, where the signature leaves it open; otherwise 1."""
    spec = model.inputs[0]
    return asked.feed[spec.name].shape[0] if spec.shape[:1] == (-1,) else 1
