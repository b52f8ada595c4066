"""Streamed predictions: each line of the request body is a row in JSON, and results are sent while the body is read.

If a line is not valid, its result is an error, and the stream continues with the next line. The stream ends early if a
limit of `StreamLimits` is reached.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from werkzeug.exceptions import HTTPException, UnsupportedMediaType

from ..inference import InputError, InvalidFeatures, InvalidInput, Model, strict_json

LINES = "application/x-ndjson"
EVENTS = "text/event-stream"

LINE_TYPES = frozenset({LINES, "application/ndjson", "application/jsonl", "application/x-jsonlines"})
"""The accepted content types of the body. Clients use several, because no type is registered for JSON Lines."""

CHUNK = 16 << 10
"""The maximum size of a chunk of the body in bytes. The rows that end in a chunk are predicted before the next chunk is
read."""

MAX_LINE = 64 << 10
"""The maximum number of bytes in a line. The result of a longer line is an error."""

MAX_FIELDS = 3
"""The maximum number of invalid fields that the error of a line names, so that the response stays small."""

MAX_COMPUTING = 2
"""The maximum number of streams in this process that predict at the same time. Other streams wait.

The threads of more streams would compete for the GIL with the server's I/O thread, and delay other requests.
"""

_computing = threading.BoundedSemaphore(MAX_COMPUTING)

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Response headers that tell proxies neither to store nor to buffer the response."""

Result = dict[str, Any]
Encode = Callable[[Result], bytes]


def check_type(mimetype: str) -> None:
    """Raise UnsupportedMediaType (415) if the content type is not one of `LINE_TYPES`."""
    if mimetype not in LINE_TYPES:
        raise UnsupportedMediaType(f"Send one JSON object per line, as {LINES}")


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """The limits of a stream. If a limit is reached, the last result is an error that names the limit.

    errors: the number of invalid lines
    seconds: the duration of the stream
    cpu_seconds: the CPU time of the stream's thread for predictions, in seconds
    """

    errors: int = 1000
    seconds: float = 600
    cpu_seconds: float = 60


class StreamEnded(HTTPException):
    """Raised if a limit of the stream is reached. The status has been sent, so the error becomes the last result."""


def stream_predictions(
    model: Model, body: IO[bytes], mimetype: str = LINES, limits: StreamLimits = StreamLimits()
) -> Iterator[bytes]:
    """Return an iterator over the chunks of the response. Each line of `body` is a row in JSON.

    `mimetype` is the format of the response: `LINES` or `EVENTS`. The result of a row is `{"line": 1,
    "churn_probability": 0.73, "model_version": "churn/1"}`, or an error such as `{"line": 2, "error": "...", "fields":
    [...]}`. A blank line is counted, but gets no result. With `EVENTS`, the last event has the numbers of lines,
    predictions and errors.

    Raises InvalidInput at once if the model has no card.
    """
    if model.card is None:
        raise InvalidInput(f"{model.id} has no card, so its features are unknown")
    return _result_lines(model, body, mimetype, limits)


def _result_lines(model: Model, body: IO[bytes], mimetype: str, limits: StreamLimits) -> Iterator[bytes]:
    encode = _as_event if mimetype == EVENTS else _as_line
    number = predicted = wrong = 0
    cpu, until = 0.0, time.monotonic() + limits.seconds
    try:
        for lines in read_lines(body):
            with _computing:
                begin = time.thread_time()
                results = _until_limit(predict_lines(model, lines, number + 1), limits.errors - wrong)
                errors = sum("error" in result for result in results)
                predicted, wrong = predicted + len(results) - errors, wrong + errors
                chunk = b"".join(map(encode, results))
                cpu += time.thread_time() - begin
            yield chunk
            number = results[-1]["line"] if wrong >= limits.errors else number + len(lines)
            _check_limits(limits, wrong, cpu, until)
    except HTTPException as error:  # a limit, or an error while the body was read: the status has already been sent
        wrong += 1
        yield encode({"line": number + 1, "error": error.description})
    if mimetype == EVENTS:
        yield _event("end", number, {"lines": number, "predictions": predicted, "errors": wrong})


def _until_limit(results: list[Result], errors_left: int) -> list[Result]:
    """Return the results up to and including error number `errors_left`, or all results if there are fewer errors."""
    for place, result in enumerate(results):
        errors_left -= "error" in result
        if errors_left <= 0:
            return results[: place + 1]
    return results


def _check_limits(limits: StreamLimits, wrong: int, cpu: float, until: float) -> None:
    if wrong >= limits.errors:
        raise StreamEnded(f"the stream ends here: {wrong} lines are invalid")
    if time.monotonic() >= until:
        raise StreamEnded(f"the stream ends here: it has taken {limits.seconds:g} seconds")
    if cpu >= limits.cpu_seconds:
        raise StreamEnded(f"the stream ends here: it has taken {limits.cpu_seconds:g} seconds of CPU time")


def read_lines(body: IO[bytes]) -> Iterator[list[bytes | None]]:
    """Yield the lines of the body, as one list for each chunk in which lines end.

    A line longer than `MAX_LINE` is represented by None. The last line of the body needs no line break.
    """
    rest, skipping = b"", False
    while chunk := body.read(CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        ended: list[bytes | None] = [line if len(line) <= MAX_LINE else None for line in lines]
        if skipping and ended:
            ended[0], skipping = None, False
        skipping = skipping or len(rest) > MAX_LINE
        rest = b"" if skipping else rest
        if ended:
            yield ended
    if rest or skipping:
        yield [None if skipping else rest]


def predict_lines(model: Model, lines: Sequence[bytes | None], first: int) -> list[Result]:
    """Return a result for each line that is not blank, in order. `first` is the number of the first line.

    None represents a line that was too long. Its result is an error.
    """
    rows: dict[int, Any] = {}
    results: dict[int, Result] = {}
    for number, line in enumerate(lines, first):
        if line is None:
            results[number] = {"error": f"the line is longer than {MAX_LINE} bytes"}
        elif line.strip():
            try:
                rows[number] = strict_json.loads(line)
            except strict_json.JSONError as error:
                results[number] = {"error": f"the line is not JSON: {error.message}"}
    results.update(_predict(model, rows))
    return [{"line": number, **results[number]} for number in sorted(results)]


def _predict(model: Model, rows: dict[int, Any]) -> dict[int, Result]:
    """Return the results of the rows by line number. If a row is invalid, its result is an error.

    The rows are predicted in batches. Only if a batch fails, each row is checked separately, and the valid rows are
    predicted again.
    """
    try:
        return _run(model, rows)
    except InputError:
        checked: dict[int, Any] = {}
        wrong: dict[int, Result] = {}
        for number, row in rows.items():
            try:
                checked[number] = model.read_row(row)
            except InvalidFeatures as error:
                wrong[number] = {"error": error.message, "fields": error.fields[:MAX_FIELDS]}
        return wrong | _run(model, checked)


def _run(model: Model, rows: dict[int, Any]) -> dict[int, Result]:
    """Return the predictions by line number, made in batches of at most the model's `max_rows`.

    Raises InputError if a row is not valid.
    """
    assert model.card is not None
    assert model.schema is not None
    name, limit, values = model.card.output.name, model.schema.max_rows, list(rows.values())
    made = [
        prediction
        for start in range(0, len(values), limit)
        for prediction in model.predict(values[start : start + limit])["predictions"]
    ]
    return {
        number: {name: prediction, "model_version": model.id} for number, prediction in zip(rows, made, strict=True)
    }


def _as_line(result: Result) -> bytes:
    return _dump(result) + b"\n"


def _as_event(result: Result) -> bytes:
    """Return the result as a server-sent event (HTML standard). The event's id is the line number."""
    return _event("error" if "error" in result else "prediction", result["line"], result)


def _event(name: str, number: int, data: Result) -> bytes:
    return b"event: %s\nid: %d\ndata: %s\n\n" % (name.encode(), number, _dump(data))


_encoder = json.JSONEncoder(separators=(",", ":"), check_circular=False)


def _dump(result: Result) -> bytes:
    return _encoder.encode(result).encode()
