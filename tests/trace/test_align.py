"""Two traces side by side: equal events share a row, and a wrong event of the core is visible."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import flask
import pytest

import wsgi_core
from tests.trace.apps import hooks_of_one_def
from wsgi_core.trace import Event, compare, trace


def test_comparing_pairs_equal_events_and_marks_the_others() -> None:
    left = [Event("view", "a"), Event("before_request", "x"), Event("close"), Event("view", "b", "raises")]
    right = [Event("view", "a"), Event("close"), Event("view", "b"), Event("body exhausted")]
    rows = compare(left, right)
    assert [row.mark for row in rows] == [" ", "<", " ", "!", ">"]
    assert [row.event.kind for row in rows] == ["view", "before_request", "close", "view", "body exhausted"]


class WrongOrder(wsgi_core.App):
    def process_response(self, response: t.Any) -> t.Any:
        for function in self.after_request_funcs[None]:
            response = function(response)
        return response


class NoExceptionForTeardown(wsgi_core.App):
    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        super().do_teardown_request(None)


class NoBeforeRequest(wsgi_core.App):
    def preprocess_request(self) -> t.Any:
        return None


class NoFinalizing(wsgi_core.App):
    def finalize_request(self, rv: t.Any, from_error_handler: bool = False) -> t.Any:
        return self.make_response(rv)


class ErrorsUnlogged(wsgi_core.App):
    def log_exception(self, *args: t.Any) -> None:
        pass

    def handle_exception(self, e: Exception) -> t.Any:
        return self.finalize_request(("sorry", 500), from_error_handler=True)


def broken_app(fw: t.Any) -> t.Any:
    app = fw.App(__name__, static_folder=None)
    hooks_of_one_def(app)
    app.before_request(lambda: None)
    app.teardown_request(lambda exc: None)
    app.add_url_rule("/", "index", lambda: {}["k"])
    return app


@pytest.mark.parametrize(
    "wrong",
    [WrongOrder, NoExceptionForTeardown, NoBeforeRequest, NoFinalizing, ErrorsUnlogged],
    ids=lambda c: c.__name__,
)
def test_a_core_that_goes_wrong_shows(wrong: type) -> None:
    flasks = trace(broken_app(SimpleNamespace(App=flask.Flask)), "/").events
    assert all(row.equal for row in compare(flasks, trace(broken_app(wsgi_core), "/").events))
    assert not all(row.equal for row in compare(flasks, trace(broken_app(SimpleNamespace(App=wrong)), "/").events))
