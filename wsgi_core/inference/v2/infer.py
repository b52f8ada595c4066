"""One inference: read the request, run the model, write the response, and record the time of each step."""

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
    the request is invalid, or if an output cannot be sent as JSON. Raises `OutOfMemory` if the run needs more memory
    than the machine has left. Raises `RunStopped` if the current `Work` is cancelled or reaches its deadline.
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

    If the first dimension of an input is dynamic, the size of this dimension is the number of rows. If the request has
    several such inputs, the input that comes first in the signature is used. If it has no such input, return 1.
    """
    with_rows = (spec.name for spec in model.inputs if spec.shape[:1] == (-1,) and spec.name in request.feed)
    name = next(with_rows, None)
    return 1 if name is None else request.feed[name].shape[0]
