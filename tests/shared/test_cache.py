"""The folder for files that can be downloaded or built again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wsgi_core.shared.cache import built_models_dir, cache_dir


def test_a_variable_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSGI_CORE_CACHE", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"
    assert built_models_dir() == tmp_path / "own" / "models"
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize(
    ("platform", "variable", "inside"),
    [("linux", "XDG_CACHE_HOME", "wsgi_core"), ("win32", "LOCALAPPDATA", "wsgi_core"),
     ("linux", None, ".cache/wsgi_core"),
     ("darwin", None, "Library/Caches/wsgi_core"), ("win32", None, "AppData/Local/wsgi_core")],
)  # fmt: skip
def test_each_system_has_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, variable: str | None, inside: str
) -> None:
    for name in ("WSGI_CORE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    if variable:
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_dir() == tmp_path / inside
