"""Fixtures for all tests: both frameworks under the same names, checked test clients, the service and its twin."""

from __future__ import annotations

import gc
import logging
import os
import sys
import types
import warnings
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any
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

if TYPE_CHECKING:
    from selenium import webdriver

examples.load_profile()


def pytest_configure(config: pytest.Config) -> None:
    # Without bytecode files, each of the several hundred Python processes would compile the project again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if getattr(config.option, "dist", None) == "load":
        config.option.dist = "loadfile"
        config.option.loadscopereorder = False  # in the order of `pytest_collection_modifyitems`


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """With ``-n auto``, start more workers than there are cores."""
    from tests.distribution import workers

    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else workers()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``-n``, distribute whole files, unless ``--dist`` names another mode."""
    if config.option.dist != "loadfile":
        return None
    from tests.distribution import ByFile

    return ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In the workers of pytest-xdist, sort the files by their rank."""
    if hasattr(config, "workerinput"):
        from tests.distribution import rank

        items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Exclude the modules and tests from garbage collection, so that a collection during a test does not visit them."""
    gc.freeze()


class Framework:
    """A framework's module. The application class has the name ``App`` on both sides."""

    def __init__(self, module: types.ModuleType, app_class: type[Any]) -> None:
        self.module = module
        self.App = app_class

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def __repr__(self) -> str:
        return self.module.__name__

    def app(self, **options: Any) -> Any:
        """Return an app without a static route and with its logger disabled."""
        app = self.App("tests", **{"static_folder": None, **options})
        logging.getLogger("tests").disabled = True
        return app


CORE = Framework(wsgi_core, wsgi_core.App)
FLASK = Framework(flask, flask.Flask)
FRAMEWORKS = (CORE, FLASK)


def checked(wsgi_app: Any) -> Any:
    """Return ``wsgi_app`` inside two checkers of PEP 3333, wsgiref's validator and Werkzeug's LintMiddleware.

    LintMiddleware does not know RFC 9110, which allows a relative Location, and in a response to HEAD the
    Content-Length of the response to GET. So its warning about Location is ignored, and a HEAD request does not go
    through LintMiddleware.
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
    """Return a test client of ``app`` that checks each request with `checked`, and reads and closes each response."""
    app.wsgi_app = checked(app.wsgi_app)
    client = app.test_client()
    client.open = partial(client.open, buffered=True)
    return client


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the environment variables that configure an app. After the test, restore their previous values."""
    for name in ("FLASK_DEBUG", "FLASK_APP", "FLASK_RUN_FROM_CLI", "FLASK_SKIP_DOTENV"):
        monkeypatch.setenv(name, "")  # so that a value that the test sets is removed afterwards, too
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_context_left() -> Iterator[None]:
    """Check that a test leaves no context pushed."""
    yield
    assert not wsgi_core.has_app_context()
    assert not flask.has_app_context()


@pytest.fixture(params=FRAMEWORKS, ids=repr)
def web(request: pytest.FixtureRequest) -> Framework:
    """Each framework in turn, so that a test with this fixture runs on Flask and on wsgi_core."""
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
    """The WSGI callable of each service, with the checks of `checked`."""
    return {name: checked(app.wsgi_app) for name, app in services.items()}


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Server]]:
    """Both services behind `wsgi-core serve`, each in its own process."""
    command = ("-m", "wsgi_core", "serve", "--port", "0", "--framework")
    with Server(*command, "wsgi_core") as core, Server(*command, "flask") as twin:
        yield {"wsgi_core": core.ready(), "flask": twin.ready()}


@pytest.fixture(scope="session")
def started_browser() -> Iterator[webdriver.Chrome]:
    """A headless browser for the tests of all pages."""
    pytest.importorskip("selenium")
    from tests.browser import headless

    with headless() as found:
        yield found


@pytest.fixture
def browser(started_browser: webdriver.Chrome) -> webdriver.Chrome:
    """The headless browser on an empty page, without the log and the emulated device of an earlier test."""
    started_browser.get("about:blank")
    started_browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    started_browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    started_browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    started_browser.get_log("browser")
    return started_browser
