"""Bodies are kept in memory and then on disk, each up to its limit, and are read unchanged."""

from __future__ import annotations

import errno
import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving.running import request, running, until
from wsgi_core.serving import body_buffer
from wsgi_core.serving.body_buffer import (
    ALWAYS_IN_MEMORY,
    MAX_IN_MEMORY,
    BodyBudget,
    DiscardBuffer,
    NoSpace,
    SpooledBody,
)


@pytest.fixture
def nothing_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set to 0 the size up to which a body is always kept in memory."""
    monkeypatch.setattr(body_buffer, "ALWAYS_IN_MEMORY", 0)


@pytest.mark.usefixtures("nothing_always")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=30), max_size=12), st.integers(0, 200))
def test_what_went_in_comes_out_and_nothing_stays_counted(pieces: list[bytes], memory: int):
    budget = BodyBudget(1000, memory)
    body = SpooledBody(budget)
    for piece in pieces:
        body.append(piece)
    whole = b"".join(pieces)
    assert len(body) == len(whole) == budget.memory.used + budget.disk.used
    for _ in range(2):
        assert body.getfile().read() == whole
    body.close()
    body.close()
    assert (budget.memory.used, budget.disk.used) == (0, 0)


@pytest.mark.usefixtures("nothing_always")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=30)), max_size=30), st.integers(0, 60), st.integers(0, 60)
)
def test_the_sums_of_all_bodies_are_never_exceeded(pieces: list[tuple[int, bytes]], memory: int, disk: int):
    budget = BodyBudget(disk, memory)
    bodies = [SpooledBody(budget) for _ in range(4)]
    for number, piece in pieces:
        try:
            bodies[number].append(piece)
        except NoSpace:
            bodies[number].close()
            bodies[number] = SpooledBody(budget)
        assert budget.memory.used <= memory
        assert budget.disk.used <= disk
    for body in bodies:
        body.close()
    assert (budget.memory.used, budget.disk.used) == (0, 0)


@pytest.mark.usefixtures("nothing_always")
def test_the_memory_is_for_all_of_them_together():
    budget = BodyBudget(100, 10)
    first, second = SpooledBody(budget), SpooledBody(budget)
    first.append(b"123456")
    second.append(b"1234")
    assert budget.memory.used == 10
    second.append(b"5")  # moves the whole body to a file
    assert (budget.memory.used, budget.disk.used) == (6, 5)
    assert second.getfile().read() == b"12345"
    first.close()
    second.close()


def test_a_large_body_takes_no_memory():
    budget = BodyBudget(10 * MAX_IN_MEMORY, 10 * MAX_IN_MEMORY)
    known, found_out = SpooledBody(budget, MAX_IN_MEMORY + 1), SpooledBody(budget)
    known.append(b"x")
    found_out.append(b"x" * MAX_IN_MEMORY)
    assert (budget.memory.used, budget.disk.used) == (MAX_IN_MEMORY, 1)
    found_out.append(b"x")
    assert (budget.memory.used, budget.disk.used) == (0, MAX_IN_MEMORY + 2)
    assert found_out.getfile().read() == b"x" * (MAX_IN_MEMORY + 1)
    known.close()
    found_out.close()


def test_a_small_body_is_kept_although_every_limit_is_reached():
    budget = BodyBudget(0, 10)
    body = SpooledBody(budget)
    for _ in range(ALWAYS_IN_MEMORY // 1024):
        body.append(b"x" * 1024)
    assert body.getfile().read() == b"x" * ALWAYS_IN_MEMORY
    assert (budget.memory.used, budget.disk.used) == (ALWAYS_IN_MEMORY, 0)
    with pytest.raises(NoSpace):
        body.append(b"x")
    body.close()
    assert (budget.memory.used, budget.disk.used) == (0, 0)


def test_a_full_disk_leaves_nothing_counted(monkeypatch: pytest.MonkeyPatch):
    class Full(io.BytesIO):
        """A file on a full disk. close() fails, too, because Python then writes the rest of its buffer."""

        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            super().close()
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(body_buffer.tempfile, "TemporaryFile", Full)
    budget = BodyBudget(10 * MAX_IN_MEMORY, 10 * MAX_IN_MEMORY)
    body = SpooledBody(budget, 2 * MAX_IN_MEMORY)
    with pytest.raises(OSError, match="No space"):
        body.append(b"x" * MAX_IN_MEMORY)
    body.close()
    assert (budget.memory.used, budget.disk.used) == (0, 0)


def test_a_discarded_body_is_counted():
    body = DiscardBuffer(3)
    body.append(b"45")
    assert len(body) == 5
    body.close()


@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_a_request_is_read_from_wherever_it_is_kept(monkeypatch: pytest.MonkeyPatch, memory: int):
    monkeypatch.setattr(body_buffer, "MEMORY_LIMIT", memory)
    with running() as server:
        client = server.connect()
        for size in (1, 100_000, 3_000_000):
            client.send(request("POST", "/a", b"x" * size))
            assert client.answer().body.endswith(b'"length": %d}' % size)
        bodies = server.server.site.bodies
        until(lambda: bodies.memory.used == bodies.disk.used == 0)


@pytest.mark.parametrize("memory", [0, 16 << 20])
def test_a_client_that_leaves_takes_its_body_along(monkeypatch: pytest.MonkeyPatch, memory: int):
    monkeypatch.setattr(body_buffer, "MEMORY_LIMIT", memory)
    with running(body_timeout=0.1) as server:
        bodies = server.server.site.bodies
        for leaves in (True, True, False):
            client = server.connect()
            client.send(request("POST", "/a", Content_Length="1000000") + b"x" * 100_000)
            until(lambda: bodies.memory.used + bodies.disk.used)
            if leaves:
                client.close()
            else:
                assert client.answer().status == 408
            until(lambda: not bodies.memory.used + bodies.disk.used)


def test_beyond_the_sum_on_disk_a_body_is_refused_and_others_are_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(body_buffer, "MEMORY_LIMIT", 0)
    with running(max_body_disk=300_000) as server:
        first = server.connect()
        first.send(request("POST", "/a", Content_Length="250000") + b"x" * 200_000)
        until(lambda: server.server.site.bodies.disk.used == 200_000)
        second = server.connect()
        second.send(request("POST", "/a", Content_Length="250000") + b"x" * 200_000)
        reply = second.answer()
        assert (reply.status, reply.error) == (503, "the body cannot be stored")
        assert "retry-after" in reply.headers
        until(lambda: server.server.site.bodies.disk.used == 200_000)
        first.send(b"x" * 50_000)
        assert first.answer().status == 200
