"""The metrics of one server, and of several servers that share a folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.processes import run

PROCESS = """
import sys
from types import SimpleNamespace
from wsgi_core.shared.observability.metrics import render, share_server_metrics
server = SimpleNamespace(
    refused={"overloaded": int(sys.argv[1])},
    connections=lambda: {"idle": 2},
    gauges=lambda: {"expected_wait_seconds": float(sys.argv[1]), "unsent_bytes": 10},
)
share_server_metrics(server)
server.refused["overloaded"] += 1
print(render("", server)[0].decode())
"""


def test_counts_are_summed_and_the_longest_wait_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for number in ("3", "5", "4"):
        done = run("-c", PROCESS, number)
        assert done.returncode == 0, done.stderr
    found = dict(re.findall(r"^(http_server_\S+) (\S+)$", done.stdout, re.M))
    assert found['http_server_rejected_requests_total{reason="overloaded"}'] == "15.0"
    assert found['http_server_connections{state="idle"}'] == "6.0"
    assert found["http_server_expected_wait_seconds"] == "5.0"
    assert found["http_server_unsent_bytes"] == "30.0"
