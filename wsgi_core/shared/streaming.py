"""Rows in as lines of JSON, predictions out as they are made: one piece of the body is in memory at a time.

A request gets here with its body unread. A wrong line gets its number and an error, and the lines after it are
answered as usual, until `StreamLimits` end the stream.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from werkzeug.exceptions import HTTPException, UnsupportedMediaType

from ..inference import InputError, InvalidFeatures, InvalidInput, Model, strict_json

LINES = "application/x-ndjson"
EVENTS = "text/event-stream"

LINE_TYPES = frozenset({LINES, "application/ndjson", "application/jsonl", "application/x-jsonlines"})
"""What clients call lines of JSON; no such type is registered."""

PIECE = 16 << 10
"""Bytes that are read at once; the rows in them are answered by one run of the model."""

MAX_LINE = 64 << 10
"""Bytes in a line; more are read over and never kept."""

MAX_FIELDS = 3
"""Wrong fields of a line that its answer names; a wrong line must not cost more to answer than it cost to send."""

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""What proxies need to be told, so that they pass an answer on as it comes."""

Answer = dict[str, Any]
Encode = Callable[[Answer], bytes]


def check_type(mimetype: str) -> None:
    """Raise UnsupportedMediaType (415) for a body that says to be something else than lines of JSON."""
    if mimetype not in LINE_TYPES:
        raise UnsupportedMediaType(f"Send one JSON object a line, as {LINES}")


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What ends a stream with an error in its last line: wrong lines, seconds in all, seconds of CPU time."""

    errors: int = 1000
    seconds: float = 600
    cpu_seconds: float = 60


class StreamEnded(HTTPException):
    """A limit of the stream is reached. The status line was sent long ago, so the error is a line."""


def stream_predictions(
    model: Model, body: IO[bytes], mimetype: str = LINES, limits: StreamLimits = StreamLimits()
) -> Iterator[bytes]:
    """Return the response to a body in pieces, as `LINES` or, with a last event that counts, as `EVENTS`.

    Each line is `{"line": 1, "churn_probability": 0.73, "model_version": "churn/1"}`, or
    `{"line": 2, "error": "...", "fields": [...]}` with the first fields that are wrong. Empty lines are counted and
    left out. Raises `InvalidInput` at once for a model without a card, which takes no rows.
    """
    if model.card is None:
        raise InvalidInput(f"{model.id} has no card that says which features it takes")
    return _answer_body(model, body, mimetype, limits)


def _answer_body(model: Model, body: IO[bytes], mimetype: str, limits: StreamLimits) -> Iterator[bytes]:
    encode = _as_event if mimetype == EVENTS else _as_line
    number = predicted = wrong = 0
    cpu, until = 0.0, time.monotonic() + limits.seconds
    try:
        for lines in read_lines(body):
            begin = time.thread_time()
            answers = _until_too_many(answer_lines(model, lines, number + 1), limits.errors - wrong)
            errors = sum("error" in answer for answer in answers)
            predicted, wrong = predicted + len(answers) - errors, wrong + errors
            piece = b"".join(map(encode, answers))
            cpu += time.thread_time() - begin
            yield piece
            number = answers[-1]["line"] if wrong >= limits.errors else number + len(lines)
            _check(limits, wrong, cpu, until)
    except HTTPException as error:  # a limit, or the client has gone: the status line was sent long ago
        wrong += 1
        yield encode({"line": number + 1, "error": error.description})
    if mimetype == EVENTS:
        yield _event("end", number, {"lines": number, "predictions": predicted, "errors": wrong})


def _until_too_many(answers: list[Answer], errors_left: int) -> list[Answer]:
    """Return the answers up to the error with which the limit of errors is reached."""
    for place, answer in enumerate(answers):
        errors_left -= "error" in answer
        if errors_left <= 0:
            return answers[: place + 1]
    return answers


def _check(limits: StreamLimits, wrong: int, cpu: float, until: float) -> None:
    """Raise StreamEnded if a limit is reached."""
    if wrong >= limits.errors:
        raise StreamEnded(f"the stream ends here: {wrong} lines are wrong")
    if time.monotonic() >= until:
        raise StreamEnded(f"the stream ends here: it has taken {limits.seconds:g} seconds")
    if cpu >= limits.cpu_seconds:
        raise StreamEnded(f"the stream ends here: it has taken {limits.cpu_seconds:g} seconds of CPU time")


def read_lines(body: IO[bytes]) -> Iterator[list[bytes | None]]:
    """Yield the lines that end in each piece of a body; the last line needs no end. None: longer than `MAX_LINE`."""
    rest, skipping = b"", False
    while piece := body.read(PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        ended: list[bytes | None] = [line if len(line) <= MAX_LINE else None for line in lines]
        if skipping and ended:
            ended[0], skipping = None, False
        skipping = skipping or len(rest) > MAX_LINE
        rest = b"" if skipping else rest
        if ended:
            yield ended
    if rest or skipping:
        yield [None if skipping else rest]


def answer_lines(model: Model, lines: Sequence[bytes | None], first: int) -> list[Answer]:
    """Return an answer for each line that is not empty, in order; `first` is the number of the first line."""
    rows: dict[int, Any] = {}
    answers: dict[int, Answer] = {}
    for number, line in enumerate(lines, first):
        if line is None:
            answers[number] = {"error": f"the line is longer than {MAX_LINE} bytes"}
        elif line.strip():
            try:
                rows[number] = strict_json.loads(line)
            except strict_json.JSONError as error:
                answers[number] = {"error": f"the line is not JSON: {error.message}"}
    answers.update(_predict(model, rows))
    return [{"line": number, **answers[number]} for number in sorted(answers)]


def _predict(model: Model, rows: dict[int, Any]) -> dict[int, Answer]:
    """Return the answers by number. All rows are one run; only if some are wrong, each is checked by itself."""
    try:
        return _run(model, rows)
    except InputError:
        checked: dict[int, Any] = {}
        wrong: dict[int, Answer] = {}
        for number, row in rows.items():
            try:
                checked[number] = model.read_row(row)
            except InvalidFeatures as error:
                wrong[number] = {"error": error.message, "fields": error.fields[:MAX_FIELDS]}
        return wrong | _run(model, checked)


def _run(model: Model, rows: dict[int, Any]) -> dict[int, Answer]:
    """Predictions for rows that are right, at most as many in a run as the model takes."""
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


def _as_line(answer: Answer) -> bytes:
    return _dump(answer) + b"\n"


def _as_event(answer: Answer) -> bytes:
    """One event of the HTML standard's server-sent events, with the line's number as its id."""
    return _event("error" if "error" in answer else "prediction", answer["line"], answer)


def _event(name: str, number: int, data: Answer) -> bytes:
    return b"event: %s\nid: %d\ndata: %s\n\n" % (name.encode(), number, _dump(data))


_encoder = json.JSONEncoder(separators=(",", ":"), check_circular=False)


def _dump(answer: Answer) -> bytes:
    return _encoder.encode(answer).encode()
