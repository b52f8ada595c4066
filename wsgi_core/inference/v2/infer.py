"""One inference: read the request, run the model, write the response, and count the time of each."""

from __future__ import annotations

import time

from .. import timing
from ..model import Model
from .request import InferRequest, read_infer_request
from .response import Response, write_response
from .statistics import Statistics


def infer(model: Model, body: bytes, header_length: str | None, statistics: Statistics) -> Response:
    """Return the response to the body of an infer request. `header_length` says where its JSON ends.

    Raises an `InputError` if anything is wrong with the request, `OutOfMemory` if the model lacks memory for it.
    """
    start = time.perf_counter_ns()
    try:
        asked = read_infer_request(body, header_length, model)
        read = time.perf_counter_ns()
        results = model.infer(asked.feed, list(asked.outputs))
        inferred = time.perf_counter_ns()
        response = write_response(model, asked, results)
    except Exception:
        statistics.failure(model, time.perf_counter_ns() - start)
        raise
    written = time.perf_counter_ns()
    timing.add("parse", (read - start) / 1e9)
    timing.add("encode", (written - inferred) / 1e9)
    statistics.success(model, _rows(model, asked), read - start, inferred - read, written - inferred)
    return response


def _rows(model: Model, asked: InferRequest) -> int:
    """Count the rows of a request: the first dimension, if the signature leaves it open; otherwise 1."""
    open_ended = (spec.name for spec in model.inputs if spec.shape[:1] == (-1,) and spec.name in asked.feed)
    name = next(open_ended, None)
    return 1 if name is None else asked.feed[name].shape[0]
