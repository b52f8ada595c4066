"""A call is assigned to the app's function that it belongs to."""

from __future__ import annotations

import sys
import typing as t
from collections.abc import Callable
from functools import partial
from types import FrameType

import flask
import pytest

import wsgi_core
from tests.trace.apps import every_framework, new_app, seen
from wsgi_core.trace import trace
from wsgi_core.trace.hooks import function_name, has_defaults


@every_framework
def test_functions_of_one_def_are_told_apart(fw: t.Any) -> None:
    app = new_app(fw)

    def hook_named(name: str, *, closed_over: bool) -> t.Any:
        def in_closure() -> None:
            assert name

        def without() -> None:
            pass

        hook = in_closure if closed_over else without
        hook.__name__ = name
        return hook

    for name in ("one", "two", "three"):
        app.before_request(hook_named(f"{name}_closed", closed_over=True))
        app.before_request(hook_named(f"{name}_bare", closed_over=False))
    names = [f"{name}_{how}" for name in ("one", "two", "three") for how in ("closed", "bare")]
    assert seen(trace(app, "/").events, "before_request") == names


@every_framework
def test_one_view_of_two_endpoints_goes_by_the_endpoint(fw: t.Any) -> None:
    app = new_app(fw)
    app.add_url_rule("/second", "second", app.view_functions["index"])
    assert seen(trace(app, "/second").events, "view") == ["second"]


@every_framework
def test_methods_partials_and_callable_objects_are_hooks_too(fw: t.Any) -> None:
    class Object:
        def __init__(self, name: str) -> None:
            self.__name__ = name

        def method(self) -> None: ...
        def __call__(self) -> None: ...

    app = new_app(fw)
    first, second = Object("first"), Object("second")
    for hook in (first.method, first, second, partial(second.method)):
        app.before_request(hook)
    assert seen(trace(app, "/").events, "before_request") == ["method", "first", "second", "method"]


def hook_with_default(number: int) -> Callable[[], FrameType]:
    def hook(number: int = number) -> FrameType:
        return sys._getframe()

    return hook


def hook_with_keyword_default(number: int) -> Callable[[], FrameType]:
    def hook(*, number: int = number) -> FrameType:
        return sys._getframe()

    return hook


@pytest.mark.parametrize("make", [hook_with_default, hook_with_keyword_default])
def test_functions_of_one_def_are_told_apart_by_their_defaults(make: Callable[[int], Callable[[], FrameType]]) -> None:
    first, second = make(1), make(2)
    frame = first()
    assert has_defaults(frame, first)
    assert not has_defaults(frame, second)


def test_unwrapping_ends_at_a_name() -> None:
    assert function_name(partial(print)) == "print"
    assert function_name(object()) == "object"


@every_framework
def test_class_based_views_go_by_their_endpoint(fw: t.Any) -> None:
    app = new_app(fw)
    views: t.Any = flask.views if fw.App is flask.Flask else wsgi_core.views

    class Page(views.View):  # type: ignore[misc]
        def dispatch_request(self) -> str:
            return "page"

    for name in ("a", "b"):
        app.add_url_rule(f"/{name}", view_func=Page.as_view(name))
    assert seen(trace(app, "/b").events, "view") == ["b"]
