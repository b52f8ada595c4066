"""Rows in as lines of JSON, predictions out as they are made: of however many rows, one piece is in memory.

A request gets here with its body unread. A line that is wrong is answered by its number and what is wrong with it, and
the lines after it as if nothing had been.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
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

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""What proxies need to be told, so that they pass an answer on as it comes."""

Answer = dict[str, Any]
Encode = Callable[[Answer], bytes]


def check_type(mimetype: str) -> None:
    """Raise UnsupportedMediaType (415) for a body that says to be something else than lines of JSON."""
    if mimetype not in LINE_TYPES:
        raise UnsupportedMediaType(f"Send one JSON object a line, as {LINES}")


def stream_predictions(model: Model, body: IO[bytes], mimetype: str = LINES) -> Iterator[bytes]:
    """The answer to a body in pieces, as `LINES` or, with a last event that counts, as `EVENTS`.

    A line each: `{"line": 1, "churn_probability": 0.73, "model_version": "churn/1"}`, or
    `{"line": 2, "error": "...", "fields": [...]}` with the fields that are wrong. Empty lines are counted and left out.
    Raises `InvalidInput` at once for a model without a card, which takes no rows.
    """
    if model.card is None:
        raise InvalidInput(f"{model.id} has no card that says which features it takes")
    return _answer_body(model, body, mimetype)


def _answer_body(model: Model, body: IO[bytes], mimetype: str) -> Iterator[bytes]:
    encode = _as_event if mimetype == EVENTS else _as_line
    number = predicted = wrong = 0
    try:
        for lines in read_lines(body):
            answers = answer_lines(model, lines, number + 1)
            number += len(lines)
            errors = sum("error" in answer for answer in answers)
            predicted, wrong = predicted + len(answers) - errors, wrong + errors
            yield b"".join(map(encode, answers))
    except HTTPException as error:  # over the limit, or the client has gone: the status line was sent long ago
        wrong += 1
        yield encode({"line": number + 1, "error": error.description})
    if mimetype == EVENTS:
        yield _event("end", number, {"lines": number, "predictions": predicted, "errors": wrong})


def read_lines(body: IO[bytes]) -> Iterator[list[bytes | None]]:
    """The lines that end in each piece of a body, the last one also without its end; None for one over `MAX_LINE`."""
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
    """An answer for each line that is not empty, in their order; `first` is the number of the first line."""
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
    """The answers by number. All rows in one run; only if some are wrong, each is looked at by itself."""
    try:
        return _run(model, rows)
    except InputError:
        checked: dict[int, Any] = {}
        wrong: dict[int, Answer] = {}
        for number, row in rows.items():
            try:
                checked[number] = model.read_row(row)
            except InvalidFeatures as error:
                wrong[number] = {"error": error.message, "fields": error.fields}
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
