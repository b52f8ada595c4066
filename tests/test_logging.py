"""The app's logger has the app's name, and gets a handler only if no other handler exists."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask.logging
import pytest

import wsgi_core.logging
from tests.conformance import wire
from tests.conftest import CORE


@contextmanager
def nothing_configured() -> Iterator[logging.Logger]:
    """Remove all handlers above the apps' loggers, as in a program without logging configuration.

    A fixture would be too early, because pytest adds its own handlers when the test begins.
    """
    logger = logging.getLogger("logged")
    handlers, logger.handlers, logger.propagate = logger.handlers, [], False
    try:
        yield logger
    finally:
        logger.handlers, logger.propagate = handlers, True


@pytest.fixture
def named(web: Any, request: pytest.FixtureRequest) -> Any:
    return web.App(f"logged.{request.node.name}", static_folder=None, root_path="/")


def default_handler(web: Any) -> logging.Handler:
    return wsgi_core.logging.default_handler if web is CORE else flask.logging.default_handler


def test_a_handler_is_added_where_there_is_none(named: Any, web: Any):
    with nothing_configured():
        assert named.logger.name == named.name
        assert named.logger.handlers == [default_handler(web)]
        assert named.logger.level == logging.NOTSET


def test_no_handler_is_added_where_there_is_one(named: Any):
    with nothing_configured() as parent:
        parent.addHandler(logging.NullHandler())
        assert named.logger.handlers == []


def test_debug_mode_logs_everything(named: Any):
    named.debug = True
    with nothing_configured():
        assert named.logger.level == logging.DEBUG


def test_the_log_goes_to_the_servers_stream_in_a_request(named: Any, monkeypatch: pytest.MonkeyPatch):
    errors, outside = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", outside)

    @named.route("/")
    def index() -> str:
        named.logger.error("inside")
        return ""

    with nothing_configured():
        wire.call(named, wire.environ("GET", "/", {}, b"") | {"wsgi.errors": errors})
        named.logger.error("outside")
    assert "ERROR in test_logging: inside" in errors.getvalue()
    assert "outside" in outside.getvalue()
