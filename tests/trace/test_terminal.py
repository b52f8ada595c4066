"""The table in the terminal: its width, and the lines below it."""

from __future__ import annotations

import re

import click
import pytest

import wsgi_core
from tests.runner import CliRunner
from tests.trace.apps import new_app
from wsgi_core.__main__ import cli
from wsgi_core.trace import Event, Trace, compare, trace
from wsgi_core.trace.terminal import render, single_trace_rows, terminal_width, verdict


def test_the_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = (trace(new_app(fw), "/" + end * 100, label="a") for fw, end in ((wsgi_core, "x"), (wsgi_core, "y")))
    rows = compare(left.events, right.events)
    lines = click.unstyle(render(rows, left, right, 90)).split("\n")
    table = lines[: lines.index("")]
    assert 80 <= max(len(line) for line in table) <= 90
    assert re.search(r"context\.py:\d+$", table[3])
    assert f"! {left.events[0]} | {right.events[0]}" in lines  # text that does not fit is below the table
    assert "…" not in render(rows, left, right)
    assert "…" in render(rows, left, right, 1)
    narrow = click.unstyle(render(rows, left, right, 80))
    assert "    request context pushed " in narrow  # an event may have more text than its location
    assert re.search(r" context\.py:\d+ .* context\.py:\d+$", narrow, re.MULTILINE)
    monkeypatch.setenv("COLUMNS", "77")
    assert terminal_width() == 77


@pytest.mark.parametrize("width", [None, 80, 120])
def test_no_line_of_the_table_is_wider_than_the_terminal(width: int | None) -> None:
    row = '{"tenure_months": 12}'
    environ = {"COLUMNS": str(width) if width else None}
    result = CliRunner(env=environ).invoke(cli, ["trace", "POST", "/predict", "--json", row])
    table = result.output[result.output.index("  event") :].split("\n\n")[0].splitlines()
    assert 60 < max(map(len, table)) <= (width or 80)


def test_the_verdict_counts_the_rows_that_differ() -> None:
    view, close = Event("view", "index"), Event("close")
    assert verdict(compare([view, close], [view, close])) == "equal: 2 events"
    assert verdict(compare([view, close], [view])) == "different: 1 of 2 rows"


def test_a_trace_alone_is_equal_in_every_row() -> None:
    seen = Trace("one", [Event("view", "index"), Event("close")])
    text = click.unstyle(render(single_trace_rows(seen.events), seen, None))
    assert text.splitlines()[0].split() == ["event", "one"]
    assert text.splitlines()[-1] == "2 events"


def test_a_note_stands_below_the_table_once() -> None:
    seen = Trace("one", [Event("view", "index", file="app.py", line=1, note="a generator") for _ in range(2)])
    text = click.unstyle(render(single_trace_rows(seen.events), seen, None))
    assert text.count("app.py:1 *") == 2
    assert text.count("* view index: a generator") == 1
