"""The core's modules, classes and objects have the attributes of Flask's, of the same kind."""

from __future__ import annotations

import contextvars
import inspect
import types
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.surface.walk import OBJECTS, classes, kind, modules, names, observed, wanted
from tests.processes import ROOT

# Intended differences, which docs/differences.md lists. Before the attribute: a class, a module, or one of OBJECTS.
DIFFERENT = {
    "app jinja_environment", "app after a request jinja_environment", "flask.app.Flask jinja_environment",
    "flask.sansio.app.App jinja_environment",
    "flask.sansio.scaffold.Scaffold add_url_rule",
    "flask.debughelpers UnexpectedUnicodeError", "flask.debughelpers attach_enctype_error_multidict",
    "flask.debughelpers explain_template_loading_attempts",
    *(f"flask.json.tag.Tag{tag} to_python" for tag in ("Tuple", "Bytes", "Markup", "DateTime")),
    "flask.json.tag.TagDateTime to_json",
}  # fmt: skip
OF_MODULES = {name for name in DIFFERENT if name.startswith("flask.debughelpers ")}


def apart(function: Callable[[], Any]) -> Any:
    """Call a function in a new `contextvars.Context`, so that contexts that it pushes do not remain."""
    return contextvars.Context().run(function)


@pytest.mark.parametrize("title", OBJECTS)
def test_attributes_of_an_object_have_the_same_form_and_can_be_set_as_in_flask(title: str):
    def seen(side: str, name: str) -> Any:
        return apart(lambda: observed(lambda: OBJECTS[title](side), name))

    different = {
        f"{title} {name}": (seen("flask", name), seen("core", name))
        for name in apart(lambda: names("flask", title))
        if seen("flask", name) != seen("core", name)
    }
    assert {name: what for name, what in different.items() if name not in DIFFERENT} == {}
    assert {name for name in DIFFERENT if name.startswith(f"{title} ")} <= {*different, *_of_longer_titles(title)}


def _of_longer_titles(title: str) -> set[str]:
    longer = [other for other in OBJECTS if other.startswith(f"{title} ")]
    return {name for name in DIFFERENT for other in longer if name.startswith(other)}


def test_attributes_of_a_class_are_of_the_same_kind_as_in_flask():
    different = set()
    for title, theirs, ours in classes():
        for name in filter(wanted, dir(theirs)):
            if isinstance(inspect.getattr_static(theirs, name), types.MemberDescriptorType):
                continue  # An attribute of objects, which the class need not have.
            if not hasattr(ours, name) or kind(theirs, name) != kind(ours, name):
                different.add(f"{title} {name}")
    assert different == {name for name in DIFFERENT if name.startswith("flask.")} - OF_MODULES


def test_modules_have_what_flask_s_modules_define():
    different = {
        f"{title} {name}"
        for title, module, alias in modules()
        for name, value in vars(module).items()
        if wanted(name) and getattr(value, "__module__", None) == title and not hasattr(alias, name)
        if type(value).__name__ != "TypeVar"
    }
    assert different == OF_MODULES


def test_what_differs_is_in_the_list_of_differences():
    page = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
    for name in {different.rpartition(" ")[2] for different in DIFFERENT}:
        assert f"`{name}`" in page or f".{name}`" in page, name


# The comparison is meaningful


def test_objects_are_looked_at_before_and_after_the_push():
    def session(title: str) -> Any:
        return apart(lambda: observed(lambda: OBJECTS[title]("flask"), "session").form)

    assert session("request context") == "raises AssertionError"
    assert session("request context, pushed") == "mapping of 0"


def test_an_attribute_that_cannot_be_set_is_told_from_one_that_can():
    assert observed(lambda: types.SimpleNamespace(a=1), "a").settable == "yes"
    assert (
        observed(lambda: type("Fixed", (), {"a": property(lambda self: 1)})(), "a").settable == "raises AttributeError"
    )


def test_many_attributes_are_looked_at():
    assert sum(len(apart(lambda title=title: names("flask", title))) for title in OBJECTS) > 800
    assert len(list(classes())) > 40
