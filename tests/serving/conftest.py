"""Fixtures for the tests of the server."""

from __future__ import annotations

import pytest

from wsgi_core.serving import channel, listener, server


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the server's own waiting times, so that the tests are fast."""
    monkeypatch.setattr(listener, "_IDLE_DURING_STOP", 0.3)
    monkeypatch.setattr(channel, "LINGER", 0.5)
    monkeypatch.setattr(listener, "LINGER", 0.5)
    monkeypatch.setattr(server, "BACKLOG_GRACE_SECONDS", 0.02)
