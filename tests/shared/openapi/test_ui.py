"""Swagger UI's files are found without importing the package that contains them."""

from __future__ import annotations

import importlib.machinery
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import run
from wsgi_core.shared.openapi import ui


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    ui.ui_folder.cache_clear()
    yield
    ui.ui_folder.cache_clear()


def test_the_files_are_found_and_the_package_is_not_imported():
    code = "import sys; from wsgi_core.shared.openapi import ui; print(ui.ui_folder()); print('flask' in sys.modules)"
    folder, imported = run("-c", code).stdout.splitlines()
    assert all((Path(folder) / name).is_file() for name in ui.FILES)
    assert imported == "False"


def test_there_is_none_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ui, "find_spec", lambda name: None)
    assert ui.ui_folder() is None


def test_a_package_without_the_files_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    spec = importlib.machinery.ModuleSpec("flask_swagger_ui", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(ui, "find_spec", lambda name: spec)
    assert ui.ui_folder() is None
