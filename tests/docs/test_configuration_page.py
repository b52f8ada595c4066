"""The page of the settings says what the schema says."""

from __future__ import annotations

import os
import runpy

import pytest

from tests.docs.configuration import PAGE, page
from wsgi_core.shared.settings import schema


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize(("processors", "threads"), [(1, 2), (2, 4), (4, 8), (64, 8)])
def test_the_words_for_the_threads_are_true(processors: int, threads: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    assert "twice the processors, at most 8" in page()
    fields = runpy.run_path(schema.__file__)["Settings"].model_fields
    assert fields["threads"].default == threads
