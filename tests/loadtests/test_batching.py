"""The experiment with gathered requests: everybody gets their own answer, and the page says what was measured."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtests import batching
from loadtests.batching import SETTINGS, USUAL, main, messages, report
from loadtests.gathering import Feed, Gatherer, Setting
from tests.runner import CliRunner

GATHERS = Setting("gathered", threads=8, gathers=True, wait_ms=20, runs=1)


class Doubling:
    """A model that doubles its rows, and knows how many it got in each run."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, outputs: Sequence[str], feed: Feed) -> list[Any]:
        self.sizes.append(len(feed["x"]))
        if (feed["x"] < 0).any():
            raise ValueError("negative")
        return [feed["x"] * 2, feed["x"].sum(axis=1)]


def test_everybody_gets_their_own_rows_out_of_fewer_runs():
    model = Doubling()
    gatherer = Gatherer(model, GATHERS)
    feeds = [{"x": np.full((1 + number % 2, 1 + number % 3), number)} for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda feed: gatherer(["y", "sum"], feed), feeds))
    for number, (doubled, summed) in enumerate(results):
        rows, width = feeds[number]["x"].shape
        assert (doubled[:, :width] == 2 * number).all()
        assert summed.tolist() == [number * width] * rows
    assert len(model.sizes) < 40


def test_a_group_is_no_larger_than_it_may_be():
    model = Doubling()
    gatherer = Gatherer(model, GATHERS, max_rows=3)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: gatherer(["y"], {"x": np.ones((1, 1))}), range(24)))
    assert max(model.sizes) <= 3
    assert sum(model.sizes) == 24


def test_what_a_run_raises_reaches_all_of_its_group():
    gatherer = Gatherer(Doubling(), GATHERS)
    together = threading.Barrier(2)

    def ask(value: int) -> str:
        together.wait(5)
        with pytest.raises(ValueError, match="negative"):
            gatherer(["y"], {"x": np.full((1, 1), value)})
        return "raised"

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask, [-1, -2])) == ["raised"] * 2


def results(rate: float) -> dict[str, Any]:
    """A result file in which everything gathered is answered at so many times the usual rate."""

    def window(setting: Setting, turn: int) -> dict[str, Any]:
        requests = 1000 * (rate if setting.gathers else 1) + turn
        latencies = {"p50": 1.0 + turn, "p99": 2.0 + turn}
        return {"requests": requests, "seconds": 1.0, "server_cpu_seconds": 0.5, "latencies_ms": latencies}

    windows = {setting.label: [window(setting, turn) for turn in range(4)] for setting in SETTINGS}
    environment = {"cpu": "a processor", "usable_threads": 2, "system": "a system"}
    costs = {"churn": {"1": 0.006, "2": 0.005}}
    return {"rounds": 4, "seconds": 1.0, "environment": environment, "ms_a_row": costs, "models": {"churn": windows}}


def test_the_page_says_whether_it_pays():
    assert "**Gathering pays here**" in report(results(1.5))
    assert "**Gathering does not pay here**" in report(results(0.9))
    assert f"| {USUAL.label} | 1,002 | " in report(results(1.5))


def test_the_cost_of_a_row_is_measured_by_the_size_of_the_run():
    costs = batching.cost_by_size("churn", repeats=2)
    assert [*costs] == [str(size) for size in batching.SIZES]
    assert min(costs.values()) >= 0


def test_the_page_is_written_from_the_result_file(tmp_path: Path):
    file = tmp_path / "batching.json"
    file.write_text(json.dumps(results(1.5)), encoding="utf-8")
    assert CliRunner().invoke(main, ["--report", "--out", str(file)]).exit_code == 0
    assert (tmp_path / "batching.md").read_text(encoding="utf-8") == report(results(1.5))


def test_the_page_of_the_docs_is_that_of_its_result_file():
    file = batching.DOCS / "batching.json"
    assert file.with_suffix(".md").read_text(encoding="utf-8") == report(json.loads(file.read_text(encoding="utf-8")))


def test_the_requests_are_whole():
    for model in batching.MODELS:
        for message in messages(model)[:5]:
            head, _, body = message.partition(b"\r\n\r\n")
            assert f"Content-Length: {len(body)}".encode() in head
            assert json.loads(body)
