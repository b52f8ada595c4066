"""Server processes share connections evenly, and do not wait for a process that does not serve yet."""

from __future__ import annotations

import http.client
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.processes import Server
from wsgi_core.serving.balance import Balance

APP = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


def test_a_process_with_more_connections_leaves_the_next_one_to_another():
    balance = Balance(3)
    first, second, third = (balance.connections_of(number) for number in range(3))
    first.set(5)
    assert not first.too_high  # the other processes do not serve yet
    second.set(3)
    assert first.too_high
    assert not second.too_high
    second.set(4)
    assert not first.too_high
    third.set(0)
    assert first.too_high
    third.stop()
    assert not first.too_high


@pytest.mark.parametrize("connections", [4, 12])
def test_kept_connections_are_shared(tmp_path: Path, connections: int):
    """Each process gets about half. If a process has no CPU time, it gets fewer, so the test tries many times."""
    (tmp_path / "pids.py").write_text(APP, encoding="utf-8")
    command = ("-m", "wsgi_core", "serve", "--port", "0", "--processes", "2", "--app", "pids")
    with Server(*command, cwd=tmp_path) as server:
        server.ready()
        tries = []
        for _ in range(50):
            tries.append(share(server, connections))
            if len(tries[-1]) == 2 and min(tries[-1].values()) >= connections // 4:
                break
        else:
            pytest.fail(f"not shared: {tries}")


def share(server: Server, connections: int) -> Counter[bytes]:
    """Return how many of several kept connections each process has accepted."""
    with ExitStack() as stack:
        kept = [http.client.HTTPConnection(*server.address, timeout=30) for _ in range(connections)]
        for connection in kept:
            stack.callback(connection.close)
            connection.connect()
        pids: Counter[bytes] = Counter()
        for connection in kept:
            connection.request("GET", "/")
            pids[connection.getresponse().read()] += 1
        return pids
