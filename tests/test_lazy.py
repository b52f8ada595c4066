"""A cached attribute is computed when it is first read, and a proxy stands for what is current."""

from __future__ import annotations

from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import pytest

from wsgi_core.lazy import cached_attribute, proxy


class Request:
    def __init__(self) -> None:
        self.computed = 0

    @cached_attribute
    def number(self) -> int:
        """How many times the attribute was computed."""
        self.computed += 1
        return self.computed

    fails: int = cached_attribute(lambda self: 1 // (self.computed - 1))


def test_it_is_computed_once_and_for_each_object():
    first, second = Request(), Request()
    assert first.computed == 0
    assert (first.number, first.number, first.computed) == (1, 1, 1)
    assert second.computed == 0
    assert second.number == 1


def test_a_value_that_is_set_is_never_computed():
    request = Request()
    request.number = 7
    assert (request.number, request.computed) == (7, 0)


def test_after_deletion_it_is_computed_again():
    request = Request()
    assert request.number == 1
    del request.number
    assert request.number == 2


def test_an_error_is_not_kept():
    request = Request()
    request.computed = 1
    with pytest.raises(ZeroDivisionError):
        request.fails  # noqa: B018
    request.computed = 2
    assert request.fails == 1


def test_the_class_has_the_attribute_with_its_description():
    assert Request.__dict__["number"] is Request.number
    assert Request.number.__doc__ == "How many times the attribute was computed."


def test_a_proxy_stands_for_what_is_current():
    var: ContextVar[Any] = ContextVar("var")
    current = proxy(var, "items", "Nothing is current.")
    for items in ({"a": 1}, {"b": 2}):
        token = var.set(SimpleNamespace(items=items))
        current["c"] = 3
        assert current == items
        assert current["c"] == items["c"] == 3
        assert ("a" in current, "b" in current) == ("a" in items, "b" in items)
        assert current.get("c") == 3
        del current["c"]
        assert "c" not in items
        with pytest.raises(KeyError):
            current["c"]
        var.reset(token)


def test_a_proxy_of_nothing_says_so():
    current = proxy(ContextVar("var"), "items", "Nothing is current.")
    for use in (
        lambda: current["a"], lambda: current.__setitem__("a", 1), lambda: "a" in current, lambda: current.get("a"),
        lambda: setattr(current, "a", 1), lambda: current.__delitem__("a"),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=r"^Nothing is current\.$"):
            use()


def test_a_proxy_of_something_without_items_fails_as_the_object_does():
    var: ContextVar[Any] = ContextVar("var")
    var.set(SimpleNamespace(items=object()))
    current = proxy(var, "items", "Nothing is current.")
    for use in (lambda: current["a"], lambda: current.__setitem__("a", 1), lambda: "a" in current):
        with pytest.raises(TypeError, match="object"):
            use()
