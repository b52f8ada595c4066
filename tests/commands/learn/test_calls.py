"""The list of calls has, by depth, the program's own calls and its calls of library functions, and no other calls."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from werkzeug.test import Client

from wsgi_core.commands.learn.calls import calls_of

PROGRAM = """
import json

from werkzeug.wrappers import Response


def inner():
    return Response(json.dumps([1]))


def outer():
    return inner()


def application(environ, start_response):
    return outer()(environ, start_response)
"""


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    """The program ``PROGRAM``, loaded from a file."""
    file = tmp_path / "step_91_calls.py"
    file.write_text(PROGRAM, encoding="utf-8")
    made = ModuleType("step_91_calls")
    exec(compile(PROGRAM, str(file), "exec"), made.__dict__)
    return made


def test_calls_are_indented_by_depth_with_the_file_or_library(module: ModuleType, tmp_path: Path):
    lines = calls_of(lambda: Client(module.application).get("/"), tmp_path)
    assert [line.split() for line in lines[:4]] == [
        ["application", "step_91_calls.py"],
        ["outer", "step_91_calls.py"],
        ["inner", "step_91_calls.py"],
        ["Response.__init__", "werkzeug"],
    ]
    assert [len(line) - len(line.lstrip()) for line in lines[:4]] == [0, 2, 4, 6]


def test_what_a_library_calls_itself_is_left_out(module: ModuleType, tmp_path: Path):
    lines = calls_of(lambda: Client(module.application).get("/"), tmp_path)
    assert [line.split()[0] for line in lines] == [
        "application", "outer", "inner", "Response.__init__", "Response.__call__"
    ]  # fmt: skip


def test_calls_outside_the_folder_are_not_listed(module: ModuleType, tmp_path: Path):
    assert calls_of(lambda: json.dumps([1]), tmp_path) == []
    assert calls_of(module.outer, tmp_path / "elsewhere") == []


def test_the_profile_function_that_was_set_comes_back_after_an_error(tmp_path: Path):
    def profile(*args: object) -> None: ...

    def fail() -> None:
        raise ZeroDivisionError

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        with pytest.raises(ZeroDivisionError):
            calls_of(fail, tmp_path)
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(before)
