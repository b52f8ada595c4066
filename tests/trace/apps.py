"""Small apps on both frameworks, for the tests of the trace."""

from __future__ import annotations

import typing as t

import pytest

from tests.conformance.golden_apps import CASES, FRAMEWORKS, record
from wsgi_core.trace import Event, Snapshot

every_framework = pytest.mark.parametrize("fw", [pytest.param(fw, id=name) for name, fw in FRAMEWORKS.items()])


def new_app(fw: t.Any) -> t.Any:
    app = fw.App(__name__, static_folder=None)
    app.add_url_rule("/", "index", lambda: "hello")
    return app


def seen(events: list[Event], kind: str) -> list[str]:
    return [event.name for event in events if event.kind == kind]


def hooks_of_one_def(app: t.Any) -> None:
    """Register after_request functions that differ only in their names."""
    for name in ("one", "two"):

        def hook(response: t.Any) -> t.Any:
            return response

        hook.__name__ = name
        app.after_request(hook)


def at(events: list[Event], kind: str, name: str | None = None) -> Snapshot:
    """Return the snapshot of the first event of a kind, or of the first with this kind and name."""
    found = next(event for event in events if event.kind == kind and name in (None, event.name))
    assert found.snapshot is not None
    return found.snapshot


def stepped(fw: t.Any, case: str) -> list[Event]:
    return record(CASES[case].build, CASES[case].drive, fw, snapshots=True).events
