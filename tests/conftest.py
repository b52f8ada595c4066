"""What all tests share: both frameworks under one set of names, checked clients, the service and its twin."""

from __future__ import annotations

import logging
import os
import sys
import types
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any
from wsgiref.validate import validator

import flask
import flask.sessions
import flask.testing
import flask.views
import pytest
from werkzeug.middleware.lint import HTTPWarning, LintMiddleware

import flask_equiv.service
import wsgi_core.sessions
import wsgi_core.testing
import wsgi_core.views
from tests import examples
from tests.processes import Server
from wsgi_core import service

examples.load_profile()


def pytest_configure(config: pytest.Config) -> None:
    """With ``-n`` each file's tests stay in one process, which starts the file's servers once."""
    # Without bytecode files each of the several hundred Python processes compiles the project again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if getattr(config.option, "dist", None) == "load":
        config.option.dist = "loadfile"


class Framework:
    """A framework's names, the application class among them as ``App`` on both sides."""

    def __init__(self, module: types.ModuleType, app_class: type[Any]) -> None:
        self.module = module
        self.App = app_class

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def __repr__(self) -> str:
        return self.module.__name__

    def app(self, **options: Any) -> Any:
        """An app without a static route, whose log stays silent."""
        app = self.App("tests", **{"static_folder": None, **options})
        logging.getLogger("tests").disabled = True
        return app


CORE = Framework(wsgi_core, wsgi_core.App)
FLASK = Framework(flask, flask.Flask)
FRAMEWORKS = (CORE, FLASK)


def checked(wsgi_app: Any) -> Any:
    """``wsgi_app`` between two judges of PEP 3333; what they find fails the test.

    Three of LintMiddleware's rules are older than RFC 9110: a relative Location is fine, a 204 has no
    Content-Length, and that of an answer to HEAD tells of the body that GET would get.
    """
    judged = validator(LintMiddleware(wsgi_app))

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Absolute URLs required", HTTPWarning)
            if environ["REQUEST_METHOD"] == "HEAD":
                return validator(wsgi_app)(environ, start_response)
            return judged(environ, start_response)

    return call


def checked_client(app: Any) -> Any:
    """A test client of ``app``, every request of which is `checked`, read to its end and closed."""
    app.wsgi_app = checked(app.wsgi_app)
    client = app.test_client()
    client.open = partial(client.open, buffered=True)
    return client


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing from outside, and no test, decides about the next app's debug mode or configuration."""
    for name in ("FLASK_DEBUG", "FLASK_APP", "FLASK_RUN_FROM_CLI", "FLASK_SKIP_DOTENV"):
        monkeypatch.setenv(name, "")  # what was not set before is taken away again only if it was set here
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_context_left() -> Iterator[None]:
    """No test leaves a context behind for the next one."""
    yield
    assert not wsgi_core.has_app_context()
    assert not flask.has_app_context()


@pytest.fixture(params=FRAMEWORKS, ids=repr)
def web(request: pytest.FixtureRequest) -> Framework:
    """Each framework in turn: what a test with it claims holds for Flask and for wsgi_core."""
    framework: Framework = request.param
    return framework


@pytest.fixture
def app(web: Framework) -> Any:
    """An empty app on each framework in turn."""
    return web.app()


@pytest.fixture(scope="session")
def services() -> dict[str, Any]:
    """The service on each framework."""
    return {"wsgi_core": service.create_app(), "flask": flask_equiv.service.create_app()}


@pytest.fixture(scope="session")
def checked_services(services: dict[str, Any]) -> dict[str, Any]:
    """The services' WSGI callables, between the judges."""
    return {name: checked(app.wsgi_app) for name, app in services.items()}


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Server]]:
    """Both services behind waitress, each in a process of its own."""
    command = ("-m", "wsgi_core", "serve", "--port", "0", "--framework")
    with Server(*command, "wsgi_core") as core, Server(*command, "flask") as twin:
        yield {"wsgi_core": core.ready(), "flask": twin.ready()}
