"""No request is lost when a server stops, even if the request is incomplete or its response is being sent."""

from __future__ import annotations

import sys
from importlib.metadata import version

import pytest

from tests.pressure.stops import CLIENTS, stop_once
from tests.pressure.under_test import gunicorn_command, running, serve_command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process that is sent a signal")


@pytest.mark.parametrize("framework", ["wsgi_core", pytest.param("flask", marks=pytest.mark.long)])
def test_no_request_is_lost(framework: str):
    with running(*serve_command(framework=framework, max_waiting=100)) as server:
        outcome = stop_once(server, limit=40)
    assert outcome.lost == []
    assert set(outcome.answered) == set(CLIENTS)


@pytest.mark.skipif(
    sys.platform == "win32" or int(version("gunicorn").split(".")[0]) < 27,
    reason="at a stop, gunicorn before 27 resets a kept connection on which a request arrives",
)
def test_no_request_is_lost_under_gunicorn():
    with running(*gunicorn_command("wsgi_core")) as server:
        outcome = stop_once(server, limit=40)
    assert outcome.lost == []
    assert set(outcome.answered) == set(CLIENTS)
