"""Bodies wait in memory while there is some, and come out as they went in either way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.serving.running import request, running, until
from wsgi_core.serving import listener
from wsgi_core.serving.bodies import SMALL, Bodies, Body, Nowhere


@given(st.lists(st.binary(max_size=30), max_size=12), st.integers(0, 200))
def test_what_went_in_comes_out(pieces: list[bytes], memory: int):
    bodies = Bodies(memory)
    body = Body(bodies)
    for piece in pieces:
        body.append(piece)
    whole = b"".join(pieces)
    assert len(body) == len(whole)
    for _ in range(2):
        assert body.getfile().read() == whole
    body.close()
    body.close()
    assert bodies.take(memory)
    assert not bodies.take(1)


def test_the_memory_is_for_all_of_them_together():
    bodies = Bodies(10)
    first, second = Body(bodies), Body(bodies)
    first.append(b"123456")
    second.append(b"1234")
    assert not bodies.take(1)
    second.append(b"5")  # goes to a file, with what was there
    assert bodies.take(4)
    assert not bodies.take(1)
    assert second.getfile().read() == b"12345"
    first.close()
    assert bodies.take(6)
    second.close()


def test_a_large_body_takes_none_of_it():
    bodies = Bodies(10 * SMALL)
    known, found_out = Body(bodies, SMALL + 1), Body(bodies)
    known.append(b"x")
    found_out.append(b"x" * SMALL)
    assert bodies.take(9 * SMALL)
    assert not bodies.take(1)
    found_out.append(b"x")
    assert bodies.take(SMALL)
    assert found_out.getfile().read() == b"x" * (SMALL + 1)
    known.close()
    found_out.close()


def test_a_body_that_nobody_reads_is_counted():
    body = Nowhere(3)
    body.append(b"45")
    assert len(body) == 5
    body.close()


@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_a_request_is_read_from_wherever_it_is_kept(monkeypatch: pytest.MonkeyPatch, memory: int):
    monkeypatch.setattr(listener, "_BODIES_IN_MEMORY", memory)
    with running() as server:
        client = server.connect()
        for size in (1, 100_000, 3_000_000):
            client.send(request("POST", "/a", b"x" * size))
            assert client.answer().body.endswith(b'"length": %d}' % size)
        assert server.server._listener.adj.bodies._free == memory


@pytest.mark.parametrize("memory", [0, 16 << 20])
def test_a_client_that_leaves_takes_its_body_along(monkeypatch: pytest.MonkeyPatch, memory: int):
    monkeypatch.setattr(listener, "_BODIES_IN_MEMORY", memory)
    with running(body_timeout=0.1) as server:
        bodies = server.server._listener.adj.bodies
        for leaves in (True, True, False):
            client = server.connect()
            client.send(request("POST", "/a", Content_Length="1000000") + b"x" * 100_000)
            until(lambda: bodies._free < memory or not memory)
            if leaves:
                client.close()
            else:
                assert client.answer().status == 408
            until(lambda: bodies._free == memory)
