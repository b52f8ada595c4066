"""The pytest plugin that answers ``import flask`` inside the suite, and writes down what each test did.

It stands in a folder of its own because that folder goes on ``sys.path`` of the process that runs Flask's
tests. The environment says who answers (``FLASK_SUITE_SUBJECT``: core, real or mocks), where the outcomes go
(``FLASK_SUITE_OUTCOMES``: one JSON object a line) and which version Flask has (``FLASK_SUITE_VERSION``).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
import typing as t
import warnings
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from unittest.mock import MagicMock

import _pytest.monkeypatch
import pytest
from flask_names import TWINS, VERSION, aliases

# Read once: some of Flask's tests put another mapping in the place of os.environ.
SUBJECT = os.environ.get("FLASK_SUITE_SUBJECT", "core")
OUTCOMES = os.environ.get("FLASK_SUITE_OUTCOMES", os.devnull)


class NoOtherFlask:
    """A finder that lets no import of flask reach the real one, which may be installed."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name == "flask" or name.startswith("flask."):
            raise ModuleNotFoundError(f"nothing in wsgi_core answers for {name!r}", name=name)
        return None


def answer_with(modules: dict[str, t.Any]) -> None:
    """Make `modules`, by their names, the only Flask that can be imported."""
    sys.meta_path.insert(0, NoOtherFlask())
    for name, module in modules.items():
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)


def mocks() -> dict[str, t.Any]:
    """A mock for each module of Flask."""
    modules: dict[str, t.Any] = {name: MagicMock(name=name) for name in TWINS}
    # The suite's leak detector pops contexts for as long as there is one, and a mock is true forever.
    modules["flask.globals"].request_ctx.__bool__.return_value = False
    return modules


def say_version(version: str) -> None:
    """Let ``importlib.metadata`` tell Flask's version, whether it is installed or not."""
    metadata: t.Any = importlib.metadata
    asked: Callable[[str], str] = metadata.version
    metadata.version = lambda name: version if name.lower() == "flask" else asked(name)


def widen_warning_filters() -> None:
    """Let a filter for warnings out of ``flask.app`` fit wsgi_core, where that class fills several files."""
    plain: Callable[..., None] = warnings.filterwarnings

    def filterwarnings(
        action: str, message: str = "", category: type[Warning] = Warning, module: str = "", *rest: t.Any, **more: t.Any
    ) -> None:
        plain(action, message, category, r"wsgi_core\." if module == "flask.app" else module, *rest, **more)

    warnings.filterwarnings = filterwarnings


def install(subject: str) -> None:
    """Put `subject` ("core", "real" or "mocks") in Flask's place."""
    say_version(VERSION)
    # Later versions of pytest renamed the marker that Flask's tests import.
    monkeypatch: t.Any = _pytest.monkeypatch
    if not hasattr(monkeypatch, "notset"):
        monkeypatch.notset = monkeypatch.NOTSET
    if subject == "core":
        widen_warning_filters()
        answer_with(aliases())
    elif subject == "mocks":
        answer_with(mocks())


def note(**fields: object) -> None:
    """Append one line to the outcomes. Each line is flushed: a run that is killed has told what it knew."""
    with open(OUTCOMES, "a", encoding="utf-8") as outcomes:
        outcomes.write(json.dumps(fields) + "\n")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Answer for Flask before the suite's own conftest.py imports it."""
    install(SUBJECT)
    if SUBJECT == "real":
        note(event="subject", file=importlib.import_module("flask").__file__)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        note(event="uncollected", id=report.nodeid, text=str(report.longrepr))


def pytest_runtest_logstart(nodeid: str) -> None:
    note(event="started", id=nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or not report.passed:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = str(report.longrepr) if report.failed else ""
        note(event=report.outcome, id=report.nodeid, why=getattr(crash, "message", ""), text=text)
