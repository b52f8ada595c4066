"""One inference: the request is read, the model is run, the response is written, and each step is timed."""

from __future__ import annotations

import time

from .. import timing
from ..model import Model
from .request import InferRequest, read_infer_request
from .response import Response, write_response
from .statistics import Statistics


def infer(model: Model, body: bytes, header_length: str | None, statistics: Statistics) -> Response:
    """Handle the body of an infer request and return the response.

    `header_length` is the value of the header that says how many bytes of the body are JSON. Raises an `InputError` if
    the request is invalid. Raises `OutOfMemory` if the run needs more memory than the machine has left.
    """
    start = time.perf_counter_ns()
    try:
        request = read_infer_request(body, header_length, model)
        read = time.perf_counter_ns()
        results = model.infer(request.feed, list(request.outputs))
        inferred = time.perf_counter_ns()
        response = write_response(model, request, results)
    except Exception:
        statistics.failure(model, time.perf_counter_ns() - start)
        raise
    written = time.perf_counter_ns()
    timing.add("parse", (read - start) / 1e9)
    timing.add("encode", (written - inferred) / 1e9)
    statistics.success(model, _rows(model, request), read - start, inferred - read, written - inferred)
    return response


def _rows(model: Model, request: InferRequest) -> int:
    """Return the number of rows in a request.

    The number is the size of the first dimension, if the signature declares this dimension as dynamic. If the request
    has no input with such a dimension, it counts as one row.
    """
    open_ended = (spec.name for spec in model.inputs if spec.shape[:1] == (-1,) and spec.name in request.feed)
    name = next(open_ended, None)
    return 1 if name is None else request.feed[name].shape[0]
