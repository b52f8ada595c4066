"""One inference: read the request, run the model, write the response, and record the time of each step."""

from __future__ import annotations

import time

from .. import timing
from ..model import Model
from .request import InferRequest, read_infer_request
from .response import Response, write_response
from .statistics import Statistics


def infer(model: Model, body: bytes, header_length: str | None, statistics: Statistics) -> Response:
    """Handle the body of an infer request, and return the response.

    `header_length` is the value of the header `HEADER_LENGTH`, or None if the header is missing. Raises an `InputError`
    if the request is invalid, or if an output cannot be sent as JSON. Also raises `OutOfMemory` and `RunStopped`, as
    `Model.infer` does.
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

    The number of rows is the first dimension of the first input in the signature that has a dynamic first dimension. If
    the request has no such input, return 1.
    """
    with_rows = (spec.name for spec in model.inputs if spec.shape[:1] == (-1,) and spec.name in request.feed)
    name = next(with_rows, None)
    return 1 if name is None else request.feed[name].shape[0]
