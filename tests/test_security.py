"""Each promise of SECURITY.md names the tests that attack it, and they exist."""

from __future__ import annotations

import ast
import re

import pytest

from tests.processes import ROOT

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROMISES = re.split(r"^- ", TEXT.partition("## What is promised")[2].partition("## What is not")[0], flags=re.M)[1:]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_there_are_promises():
    assert len(PROMISES) > 10


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise[2:40])
def test_a_promise_names_tests_that_exist(promise: str):
    named = NAMED.findall(promise)
    assert named
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (file, name)
