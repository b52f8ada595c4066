"""The folders that come with the project are found in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgi_core.inference import bundled
from wsgi_core.inference.bundled import bundled_folder


@pytest.mark.parametrize("parts", [("models",), ("docs",), ("docs", "course")])
def test_an_installed_folder_comes_before_the_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...]
) -> None:
    assert bundled_folder(*parts).is_dir()
    monkeypatch.setattr(bundled, "PACKAGE", tmp_path / "wsgi_core")
    assert bundled_folder(*parts) == tmp_path.joinpath(*parts)
    (tmp_path / "wsgi_core" / f"_{parts[-1]}").mkdir(parents=True)
    assert bundled_folder(*parts) == tmp_path / "wsgi_core" / f"_{parts[-1]}"
