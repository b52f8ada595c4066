"""The page of the settings agrees with the schema."""

from __future__ import annotations

import importlib.util
import os
import sys

import pytest

from tests.docs.configuration import PAGE, page
from wsgi_core.shared.settings import schema


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize(("processors", "threads"), [(1, 2), (2, 2), (4, 4), (64, 4)])
def test_the_words_for_the_threads_are_true(processors: int, threads: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    assert "the number of CPU cores, from 2 to 4" in page()
    spec = importlib.util.spec_from_file_location(f"{schema.__name__}_again", schema.__file__)
    assert spec is not None
    assert spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, again)
    spec.loader.exec_module(again)
    assert again.Settings.model_fields["threads"].default == threads
