"""The pytest plugin of the suite: it determines what ``import flask`` imports, and records the outcome of each test.

Two environment variables configure the plugin: ``FLASK_SUITE_SUBJECT`` is core, real or mocks, and
``FLASK_SUITE_OUTCOMES`` is the file for the outcomes, with one JSON object per line.
"""

from __future__ import annotations

import importlib
import json
import os
import typing as t
from unittest.mock import MagicMock

import _pytest.monkeypatch
import flask_alias
import pytest

# Read at import, because some of Flask's tests replace os.environ.
SUBJECT = os.environ.get("FLASK_SUITE_SUBJECT", "core")
OUTCOMES = os.environ.get("FLASK_SUITE_OUTCOMES", os.devnull)


def mocks() -> dict[str, t.Any]:
    """Return a mock for each module of Flask."""
    modules: dict[str, t.Any] = {name: MagicMock(name=name) for name in flask_alias.TWINS}
    # The suite's leak detector pops contexts while request_ctx is true, and a mock would always be true.
    modules["flask.globals"].request_ctx.__bool__.return_value = False
    return modules


def install(subject: str) -> None:
    """Put `subject` ("core", "real" or "mocks") in Flask's place."""
    flask_alias.say_version(flask_alias.VERSION)
    # Later versions of pytest renamed the marker that Flask's tests import.
    monkeypatch: t.Any = _pytest.monkeypatch
    if not hasattr(monkeypatch, "notset"):
        monkeypatch.notset = monkeypatch.NOTSET
    if subject == "core":
        flask_alias.install()
    elif subject == "mocks":
        flask_alias.answer_with(mocks())


def note(**fields: object) -> None:
    """Append one line to the outcomes. The file is closed each time, so that no line is lost if the run is killed."""
    with open(OUTCOMES, "a", encoding="utf-8") as outcomes:
        outcomes.write(json.dumps(fields) + "\n")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Put the subject in Flask's place before the suite's own conftest.py imports Flask."""
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
