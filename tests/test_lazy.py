"""A cached attribute is computed when it is first read, and is an ordinary attribute from then on."""

from __future__ import annotations

import pytest

from wsgi_core.lazy import cached_attribute


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
