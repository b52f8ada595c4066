"""What the tests of the server share."""

from __future__ import annotations

import pytest

from wsgi_core.serving import channel, listener, server


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server waits for by itself is over sooner than a test would want to wait."""
    monkeypatch.setattr(listener, "_IDLE_DURING_STOP", 0.3)
    monkeypatch.setattr(channel, "LINGER", 0.5)
    monkeypatch.setattr(listener, "LINGER", 0.5)
    monkeypatch.setattr(server, "BACKLOG_GRACE_SECONDS", 0.02)
