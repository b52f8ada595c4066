"""A model run ends at its deadline, or when no client waits for it any more."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from wsgi_core.inference import Model
from wsgi_core.inference.deadline import _watcher
from wsgi_core.inference.work import Cancelled, DeadlineExceeded, Work

FOREVER = 1 << 40


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model with a loop that adds one, as many times as its input says."""
    scalar = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["still_going"]),
            helper.make_node("Add", ["value", "one"], ["next_value"]),
        ],
        "body",
        [
            scalar("turn", TensorProto.INT64, []),
            scalar("going", TensorProto.BOOL, []),
            scalar("value", TensorProto.FLOAT, [1]),
        ],
        [scalar("still_going", TensorProto.BOOL, []), scalar("next_value", TensorProto.FLOAT, [1])],
        [helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["turns", "yes", "start"], ["end"], body=body)],
        "endless",
        [scalar("turns", TensorProto.INT64, [])],
        [scalar("end", TensorProto.FLOAT, [1])],
        [
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
            helper.make_tensor("start", TensorProto.FLOAT, [1], [0.0]),
        ],
    )
    path = tmp_path_factory.mktemp("models") / "endless" / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return Model("endless", "1", path, None)


def run(model: Model, turns: int) -> Any:
    return model.infer({"turns": np.array(turns, np.int64)})["end"]


def soon(seconds: float = 0.03) -> float:
    return time.monotonic() + seconds


def test_without_a_deadline_it_just_runs(endless: Model):
    assert run(endless, 3) == [3]


def test_within_its_time_it_just_runs(endless: Model):
    with Work(soon(60), lambda: False):
        assert run(endless, 3) == [3]


def test_after_its_time_it_is_stopped(endless: Model):
    with pytest.raises(DeadlineExceeded, match="time"), Work(soon()):
        run(endless, FOREVER)


def test_when_its_time_is_over_already_it_does_not_begin(endless: Model):
    with pytest.raises(DeadlineExceeded), Work(time.monotonic()):
        run(endless, 1)
    assert not _watcher.runs


def test_when_the_client_leaves_it_is_stopped(endless: Model):
    left = threading.Event()
    threading.Timer(0.03, left.set).start()
    with pytest.raises(Cancelled, match="connection"), Work(soon(60), left.is_set):
        run(endless, FOREVER)


def test_the_model_is_as_good_as_before(endless: Model):
    with pytest.raises(DeadlineExceeded), Work(soon()):
        run(endless, FOREVER)
    assert run(endless, 5) == [5]


def test_each_run_has_a_deadline_of_its_own(endless: Model):
    results: list[Any] = []

    def one(turns: int, seconds: float) -> None:
        try:
            with Work(soon(seconds)):
                results.append(run(endless, turns).item())
        except DeadlineExceeded:
            results.append("stopped")

    threads = [threading.Thread(target=one, args=args) for args in [(FOREVER, 0.03), (1000, 60), (FOREVER, 0.05)]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(map(str, results)) == ["1000.0", "stopped", "stopped"]


FORK_DURING_A_RUN = """
import os, time
from wsgi_core.inference import deadline
from wsgi_core.inference.work import DeadlineExceeded, Work

class Session:
    def run(self, outputs, feed, options):
        for _ in range(500):
            if options.terminate:
                raise RuntimeError("terminated")
            time.sleep(0.01)

deadline._watcher.wake()
child = os.fork()
if not child:
    try:
        with Work(time.monotonic() + 0.03):
            deadline.run_session(Session(), [], {})
    except DeadlineExceeded:
        os._exit(0)
    os._exit(1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_that_was_forked_during_a_run_stops_its_own_runs():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK_DURING_A_RUN], timeout=60, check=False)
    assert done.returncode == 0


def test_runs_leave_nothing_behind(endless: Model):
    for _ in range(100):
        with Work(soon(60)):
            run(endless, 1)
    assert not _watcher.runs
    assert sum(thread.name == "deadlines" for thread in threading.enumerate()) == 1


def test_what_the_model_says_against_the_input_is_still_told(endless: Model):
    with Work(soon(60)), pytest.raises(ValueError, match="turns"):
        endless.infer({"turns": np.zeros(3, np.float32)})


def test_deadlines_nest_and_end(endless: Model):
    with Work(soon(60)):
        with pytest.raises(DeadlineExceeded), Work(time.monotonic()):
            run(endless, 1)
        assert run(endless, 1) == [1]
    assert run(endless, 1) == [1]
