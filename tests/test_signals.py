"""The signals have Flask's names, and every receiver is called."""

from __future__ import annotations

from typing import Any

import flask.signals
import pytest

import wsgi_core.signals

NAMES = sorted(name for name, value in vars(flask.signals).items() if hasattr(value, "receivers"))


def test_the_signals_are_flasks():
    assert len(NAMES) == 10
    for name in NAMES:
        assert getattr(wsgi_core.signals, name).name == getattr(flask.signals, name).name
        assert getattr(wsgi_core, name) is getattr(wsgi_core.signals, name)


@pytest.mark.parametrize("everyone", [True, False])
def test_a_receiver_that_comes_late_or_listens_to_all_apps_is_called(web: Any, everyone: bool):
    app, other, seen = web.app(), web.app(), []
    app.add_url_rule("/", "index", lambda: "")
    other.add_url_rule("/", "index", lambda: "")
    app.test_client().get("/")

    def listen(sender: Any, **extra: Any) -> None:
        seen.append(sender is app)

    arguments = () if everyone else (app,)
    with web.request_started.connected_to(listen, *arguments):
        app.test_client().get("/")
        other.test_client().get("/")
    app.test_client().get("/")
    assert seen == ([True, False] if everyone else [True])


def test_async_receivers_run(web: Any):
    app, seen = web.app(), []

    async def listen(sender: Any, **extra: Any) -> None:
        seen.append(extra["response"].status_code)

    with web.request_finished.connected_to(listen, app):
        app.test_client().get("/")
    assert seen == [404]
