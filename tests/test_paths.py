"""The folders of modules and packages are found as Flask finds them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import flask.sansio.scaffold
import pytest

from tests.environs import outcome
from wsgi_core import paths


@pytest.mark.parametrize(
    "name", ["tests", "tests.conftest", "tests.conformance", "werkzeug", "json", "sys", "nothing.here", "__main__", ""]
)
def test_root_paths_are_flasks(name: str):
    core, twin = outcome(paths.get_root_path, name), outcome(flask.helpers.get_root_path, name)
    assert core.partition(": ")[0] == twin.partition(": ")[0]


@pytest.mark.parametrize(
    "name", ["tests", "tests.conformance", "werkzeug", "werkzeug.routing", "json", "six_none", "flask"]
)
def test_packages_are_found_where_flask_finds_them(name: str):
    core, twin = paths.find_package(name), flask.sansio.scaffold.find_package(name)
    assert core == twin


@pytest.mark.parametrize("layout", ["lib/python3.11/site-packages", "Lib/site-packages", "site-packages", "here"])
@pytest.mark.parametrize("kind", ["module", "package", "namespace"])
def test_installed_packages_have_flasks_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, kind: str):
    folder = tmp_path / layout
    name = f"installed_{abs(hash((layout, kind)))}"
    target = folder / name / "inner" if kind == "namespace" else folder / name
    target.parent.mkdir(parents=True)
    if kind == "module":
        target.with_suffix(".py").write_text("", encoding="utf-8")
    else:
        target.mkdir()
        (target / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    importlib.invalidate_caches()
    asked = f"{name}.inner" if kind == "namespace" else name
    assert paths.find_package(asked) == flask.sansio.scaffold.find_package(asked)
    assert name not in sys.modules or kind == "namespace"
