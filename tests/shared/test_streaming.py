"""A stream of rows gets a result for each line, in bounded memory, however the network splits it."""

from __future__ import annotations

import io
import itertools
import json
import shutil
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, UnsupportedMediaType

from tests.conformance.cases import GOOD, but
from tests.environs import Trickle
from tests.examples import examples
from wsgi_core.inference import InvalidInput, Model, ModelRepository, default_models_dir
from wsgi_core.inference.card import read_card
from wsgi_core.shared import streaming
from wsgi_core.shared.streaming import (
    CHUNK,
    EVENTS,
    LINES,
    MAX_LINE,
    StreamLimits,
    check_type,
    read_lines,
    stream_predictions,
)


@pytest.fixture(scope="module")
def model() -> Model:
    return ModelRepository().get("churn")


class Pieces(io.RawIOBase):
    """An input stream that is generated while it is read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, b""

    def read(self, size: int = -1) -> bytes:
        assert size > 0
        while len(self._left) < size and (piece := next(self._pieces, b"")):
            self._left += piece
        piece, self._left = self._left[:size], self._left[size:]
        return piece


def answers(model: Model, body: bytes, stream: Any = io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(stream_predictions(model, stream(body))).splitlines()]


def test_a_model_without_a_card_takes_no_rows_and_says_so_at_once(tmp_path: Path):
    (tmp_path / "churn").mkdir()
    shutil.copytree(default_models_dir() / "churn" / "1", tmp_path / "churn" / "1")
    with pytest.raises(InvalidInput, match="has no card"):
        stream_predictions(ModelRepository(tmp_path).get("churn"), io.BytesIO(line()))


def line(row: Any = GOOD) -> bytes:
    return json.dumps(row).encode() + b"\n"


def test_every_row_has_its_probability_in_order(model: Model):
    rows = [but(tenure_months=months) for months in range(0, 120, 7)] * 30
    made = answers(model, b"".join(map(line, rows)))
    assert [answer["line"] for answer in made] == list(range(1, len(rows) + 1))
    expected = model.predict(rows)["predictions"]
    assert [answer["churn_probability"] for answer in made] == pytest.approx(expected, abs=1e-6)
    assert {answer["model_version"] for answer in made} == {"churn/1"}


def test_a_bad_line_is_told_by_its_number_and_spoils_no_other(model: Model):
    bad = [
        b"{\n",
        b"[]\n",
        line(but(has_fiber=...)),
        line(but(has_fiber=2, tenure_months="x")),
        b"\xff\n",
        b'{"a": NaN}\n',
    ]
    body = b"".join([line(), *itertools.chain.from_iterable((each, line()) for each in bad)])
    made = answers(model, body)
    assert [answer["line"] for answer in made if "error" in answer] == [2, 4, 6, 8, 10, 12]
    assert sum("churn_probability" in answer for answer in made) == 7
    assert [field["field"] for field in made[7]["fields"]] == ["tenure_months", "has_fiber"]


def test_a_row_that_names_a_batch_is_a_row(model: Model):
    (made,) = answers(model, line({**GOOD, "instances": []}))
    assert made["churn_probability"] == pytest.approx(model.predict(GOOD)["churn_probability"], abs=1e-6)


def test_empty_lines_are_counted_and_left_out(model: Model):
    made = answers(model, b"\n \r\n" + line() + b"\n" + line()[:-1])
    assert [answer["line"] for answer in made] == [3, 5]
    assert answers(model, b"") == []


@pytest.mark.parametrize("length", [MAX_LINE, MAX_LINE + 1, MAX_LINE + CHUNK, 10 * MAX_LINE])
def test_a_line_that_is_too_long_is_read_over(model: Model, length: int):
    long = line({**GOOD, "note": ""})[:-1]
    long = long[:-2] + b"x" * (length - len(long)) + b'"}\n'
    made = answers(model, line() + long + line() + long[:-1])
    assert [answer["line"] for answer in made] == [1, 2, 3, 4]
    assert ["error" in answer for answer in made] == [False, length > MAX_LINE, False, length > MAX_LINE]


@examples(300)
@given(
    lines=st.lists(st.binary(max_size=40) | st.integers(40, 120).map(bytes), max_size=6),
    chunks=st.lists(st.integers(1, 200), min_size=1, max_size=5),
)
def test_lines_are_the_same_in_whatever_pieces_they_come(lines: list[bytes], chunks: list[int]):
    body = b"\n".join(lines)

    class Odd(io.BytesIO):
        sizes = itertools.cycle(chunks)

        def read(self, size: int | None = -1) -> bytes:
            return super().read(next(self.sizes))

    expected = [each if len(each) <= 50 else None for each in body.split(b"\n")]
    if expected[-1] == b"":
        expected.pop()
    with patch.object(streaming, "MAX_LINE", 50):
        assert [each for piece in read_lines(Odd(body)) for each in piece] == expected


def test_a_stream_that_gives_two_bytes_a_read_is_answered_alike(model: Model):
    body = line() + b"{\n" + line()
    assert answers(model, body, Trickle) == answers(model, body)


def test_predictions_come_before_the_body_is_read(model: Model):
    read = itertools.count()

    def endless() -> Iterator[bytes]:
        while next(read) < 100_000:
            yield line()

    stream = stream_predictions(model, Pieces(endless()))
    assert b"churn_probability" in next(stream)
    assert next(read) < 1000
    stream.close()


def test_memory_does_not_grow_with_the_rows(model: Model):
    def consume(rows: int) -> int:
        return sum(map(len, stream_predictions(model, Pieces(iter([line()] * rows)))))

    consume(500)
    tracemalloc.start()
    try:
        assert consume(10_000) > 500_000
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("error", [RequestEntityTooLarge(), ClientDisconnected()])
def test_a_body_that_ends_badly_ends_the_answer_with_an_error(model: Model, error: Exception):
    class Breaks(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            if not data:
                raise error
            return data

    made = answers(model, line(), Breaks)
    assert ["error" in answer for answer in made] == [False, True]


def test_server_sent_events_carry_the_same_and_a_count(model: Model):
    body = line() + b"{\n\n" + line()
    text = b"".join(stream_predictions(model, io.BytesIO(body), EVENTS)).decode()
    events = [dict(field.split(": ", 1) for field in event.split("\n")) for event in text.split("\n\n") if event]
    assert [(event["event"], event["id"]) for event in events] == [
        ("prediction", "1"), ("error", "2"), ("prediction", "4"), ("end", "4"),
    ]  # fmt: skip
    assert [json.loads(event["data"]) for event in events[:-1]] == answers(model, body)
    assert json.loads(events[-1]["data"]) == {"lines": 4, "predictions": 2, "errors": 1}


def test_a_model_that_takes_few_rows_is_asked_more_often(model: Model, monkeypatch: pytest.MonkeyPatch):
    card = read_card(model.path.parent.parent / "card.json").model_copy(update={"max_rows": 2})
    small = Model("churn", "1", Path(model.path), card)
    assert answers(small, line() * 5) == answers(model, line() * 5)


@pytest.mark.parametrize("mimetype", ["", "application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_only_lines_of_json_are_taken(mimetype: str):
    check_type("application/x-ndjson")
    with pytest.raises(UnsupportedMediaType):
        check_type(mimetype)


# What ends a stream


@pytest.mark.parametrize("wrong", [b"{}\n", b"{\n", b"[]\n", line(but(has_fiber=2, tenure_months="x"))])
def test_a_stream_of_wrong_lines_ends_and_is_answered_shortly(model: Model, wrong: bytes):
    body = line() + wrong * ((512 << 10) // len(wrong))
    begin = time.thread_time()
    pieces = list(stream_predictions(model, io.BytesIO(body), LINES, StreamLimits(errors=100)))
    assert time.thread_time() - begin < 2
    made = [json.loads(each) for each in b"".join(pieces).splitlines()]
    assert len(made) == 102
    assert made[-1] == {"line": 102, "error": "the stream ends here: 100 lines are invalid"}
    assert len(b"".join(pieces)) < 100_000


def test_a_wrong_line_names_only_its_first_wrong_fields(model: Model):
    (made,) = answers(model, b"{}\n")
    assert len(made["fields"]) == streaming.MAX_FIELDS


def test_good_lines_with_few_errors_never_end(model: Model):
    made = list(stream_predictions(model, io.BytesIO((line() + b"{\n") * 50 + line()), LINES, StreamLimits(errors=51)))
    assert len(b"".join(made).splitlines()) == 101


@pytest.mark.parametrize(
    ("limits", "said"), [(StreamLimits(seconds=0.2), "taken 0.2 seconds"), (StreamLimits(cpu_seconds=0.2), "CPU time")]
)
def test_an_endless_stream_ends_when_its_time_is_over(model: Model, limits: StreamLimits, said: str):
    endless = Pieces(line() * 100 for _ in itertools.count())
    *_, last = stream_predictions(model, endless, LINES, limits)  # type: ignore[arg-type]
    assert said in json.loads(last)["error"]


def test_an_event_stream_ends_with_an_event_that_says_why(model: Model):
    made = b"".join(stream_predictions(model, io.BytesIO(b"{\n" * 9), EVENTS, StreamLimits(errors=3)))
    assert made.count(b"event: error") == 4
    assert made.rstrip().endswith(b'data: {"lines":3,"predictions":0,"errors":4}')


def test_few_streams_compute_at_the_same_time(model: Model, monkeypatch: pytest.MonkeyPatch):
    """Each stream has a thread of its own, and all threads share the GIL with the server."""
    running, most = [0], [0]
    predict = streaming.predict_lines

    def counted(*args: Any) -> Any:
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.005)
        running[0] -= 1
        return predict(*args)

    monkeypatch.setattr(streaming, "predict_lines", counted)
    body = (json.dumps(GOOD).encode() + b"\n") * 300
    lines: list[int] = []
    threads = [threading.Thread(target=lambda: lines.append(len(answers(model, body)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lines == [300] * 8
    assert most[0] <= streaming.MAX_COMPUTING
    paused = stream_predictions(model, io.BytesIO(body))
    next(paused)  # a stream that waits for its client gives up its turn
    assert len(answers(model, body)) == 300
    paused.close()
