"""The leader runs the loop and answers quick requests. If one takes long, the other thread runs the loop."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.serving.running import PATIENCE, Gate, running, until
from wsgi_core.serving import leader as module
from wsgi_core.serving.leader import LoopThreads, QuickRequests


class Loop:
    """A loop whose steps serve the functions in `todo`, one in each step.

    `steps` has the name of the thread of each step, and `led` the return values of `serve`.
    """

    def __init__(self) -> None:
        self.threads = LoopThreads()
        self.todo: list[Callable[[], None]] = []
        self.steps: list[str] = []
        self.led: list[bool] = []
        self.taken_over = 0
        self.stopping = False
        self.runner = threading.Thread(target=self.threads.run, args=(self.step, self.take_over), daemon=True)

    def step(self) -> bool:
        self.steps.append(threading.current_thread().name)
        self.poll()
        if self.todo:
            self.led.append(self.threads.serve(lambda function: function(), self.todo.pop()))
        return not self.stopping

    def poll(self) -> None:
        time.sleep(0.001)

    def take_over(self) -> None:
        self.taken_over += 1

    def runs_on(self, name: str) -> bool:
        before = len(self.steps)
        until(lambda: len(self.steps) > before + 2)
        return self.steps[-1] == name


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    made.runner.start()
    until(lambda: made.steps)
    yield made
    made.stopping = True
    made.runner.join(PATIENCE)
    assert made.threads.shutdown(time.monotonic() + PATIENCE)


def test_the_loop_goes_on_in_the_other_thread_while_the_leader_serves(loop: Loop):
    gates = [threading.Event() for _ in range(3)]
    for number, gate in enumerate(gates, 1):
        old = loop.steps[-1]
        new = next(name for name in ("io-0", "io-1") if name != old)
        loop.todo.append(gate.wait)
        until(lambda number=number: loop.taken_over == number)
        assert loop.runs_on(new)
        gate.set()  # the former leader is the follower from now on
        assert loop.runs_on(new)
    assert loop.taken_over == 3


def test_the_thread_that_serves_is_told_whether_it_still_leads(loop: Loop):
    gate = threading.Event()
    loop.todo.append(lambda: None)
    until(lambda: loop.led == [True])
    loop.todo.append(gate.wait)
    until(lambda: loop.taken_over)
    gate.set()
    until(lambda: loop.led == [True, False])


def test_a_follower_that_sleeps_is_woken_by_the_next_request(loop: Loop, monkeypatch: pytest.MonkeyPatch):
    until(lambda: loop.threads._asleep)
    gate = threading.Event()
    loop.todo.append(gate.wait)
    until(lambda: loop.taken_over)
    gate.set()


def test_never_do_two_threads_run_the_loop_at_once(loop: Loop):
    inside, most, poll = 0, 0, loop.poll

    def counted() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        poll()
        inside -= 1

    loop.poll = counted  # type: ignore[method-assign]
    draw = random.Random(1)
    loop.todo += [partial(time.sleep, draw.choice([0, 0.001, 0.002, 0.003, 0.004, 0.005])) for _ in range(100)]
    until(lambda: not loop.todo)
    assert loop.taken_over
    assert most == 1


def test_an_error_of_the_loop_ends_it_and_is_raised_by_run():
    threads = LoopThreads()

    def step() -> bool:
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        threads.run(step, lambda: None)
    assert threads.shutdown(time.monotonic() + PATIENCE)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [([0.0001] * 50, True), ([0.0001] * 50 + [0.005], True), ([0.009], False), ([0.002] * 20, False)],
)
def test_requests_are_expected_to_be_quick_if_the_last_ones_were(seconds: list[float], expected: bool):
    quick = QuickRequests()
    now = 100.0
    for one in seconds:
        now += 0.0001
        quick.record(one, one, now)
    assert (now >= quick.paused_until) is expected


@pytest.mark.parametrize(("waited", "expected"), [(0.0, True), (0.00005, True), (0.0005, False), (0.005, False)])
def test_requests_that_wait_are_not_expected_to_be_quick(waited: float, expected: bool):
    quick = QuickRequests()
    for number in range(20):
        quick.record(0.0002 + waited, 0.0002, 100 + number / 1000)
    assert (quick.paused_until <= 100.02) is expected


def test_a_request_that_the_operating_system_delayed_begins_no_pause():
    quick = QuickRequests()
    for number in range(50):
        quick.record(0.0042 if number % 20 == 10 else 0.0003, 0.0003, 100 + number / 1000)
    assert quick.paused_until == 0.0


def test_a_request_for_which_the_leader_was_replaced_begins_a_pause():
    quick = QuickRequests()
    quick.record(0.02, 0.0002, 100.0, replaced=True)
    assert quick.paused_until > 100.0


@pytest.mark.parametrize("seconds", [0.0015, 0.003, 1.0])
def test_the_pause_doubles_and_a_quick_request_ends_that(seconds: float):
    quick = QuickRequests()
    now = 100.0

    def pause() -> float:
        """Answer slow requests until a pause begins, and return how long the pause is."""
        nonlocal now
        while now >= quick.paused_until:
            quick.record(seconds, seconds, now)
            now += seconds
        begin, now = now, quick.paused_until
        return round(now - begin, 3)

    assert [pause() for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 3.2, 3.2]
    quick.record(0.0001, 0.0001, now)
    now += 0.0001
    assert pause() == 0.1


class Names(Gate):
    """A `Gate` that records the threads that call it, and the maximum number of simultaneous calls."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[str] = []
        self.inside = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.threads.append(threading.current_thread().name)
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        try:
            if environ["PATH_INFO"].startswith("/sleep/"):
                time.sleep(float(environ["PATH_INFO"][7:]))
            return super().__call__(environ, start_response)
        finally:
            with self.lock:
                self.inside -= 1


def test_quick_requests_are_answered_by_the_leader(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_QUICK", 100.0)  # so that the result does not depend on the load of the machine
    app = Names()
    with running(app) as server:
        client = server.connect()
        for _ in range(20):
            assert client.ask("/quick").status == 200
    # If the machine interrupts a request for milliseconds, the next one may get a worker thread.
    assert sum(name.startswith("io-") for name in app.threads) > 10


def test_slow_requests_go_to_the_worker_threads_and_others_are_answered_meanwhile():
    app = Names()
    with running(app) as server:
        slow = server.connect()
        slow.get("/work")
        app.wait_begun()
        other = server.connect()
        assert [other.ask("/quick").status for _ in range(5)] == [200] * 5
        assert server.connect().ask("/healthz").status == 200
        app.open()
        assert slow.answer().status == 200
        assert other.ask("/quick").status == 200
    assert any(name.startswith("work-") for name in app.threads)


@pytest.mark.parametrize("threads", [1, 2])
def test_never_are_more_requests_in_the_application_than_it_has_threads(threads: int):
    app = Names()
    draw = random.Random(threads)
    with running(app, threads=threads, max_waiting=100) as server:
        clients = [server.connect() for _ in range(8)]
        for _ in range(15):
            for client in clients:
                client.get(f"/sleep/{draw.choice([0, 0, 0, 0.001, 0.004, 0.01])}")
            assert [client.answer().status for client in clients] == [200] * 8
        pool = server.server.site.dispatcher
        until(lambda: pool.live == threads)
    assert 1 <= app.most <= threads


def test_a_stream_whose_client_does_not_read_keeps_nobody_waiting():
    class Endless(Names):
        def stream(self) -> Iterator[bytes]:
            while True:
                yield b"x" * 65536

    app = Endless()
    with running(app, threads=1) as server:
        server.connect().get("/stream")
        other = server.connect()
        assert [other.ask("/quick").status for _ in range(5)] == [200] * 5


def test_a_stop_does_not_wait_for_a_leader_in_the_application():
    app = Names()
    with running(app, stop_timeout=0.2, stop_pause=0) as server:
        client = server.connect()
        client.get("/work")
        app.wait_begun()
        began = time.monotonic()
        server.server.stop()
        assert server.join() is False
        assert time.monotonic() - began < PATIENCE / 2
        app.open()
