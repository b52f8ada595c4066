"""Files have short names in a trace."""

from __future__ import annotations

from pathlib import Path

import pytest
import werkzeug

from wsgi_core.trace.source_paths import short_path


def test_a_file_is_named_from_where_its_package_is_imported() -> None:
    assert short_path(str(Path(werkzeug.__file__).parent / "routing" / "map.py")) == "werkzeug/routing/map.py"


def test_a_package_that_is_found_otherwise_is_named_from_its_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent):
        (folder / "__init__.py").touch()
    monkeypatch.setattr("sys.path", [])
    assert short_path(str(inner / "module.py")) == "outer/inner/module.py"
    assert short_path(str(tmp_path / "alone.py")) == "alone.py"


def test_what_is_no_file_keeps_its_name() -> None:
    assert short_path("<string>") == "<string>"
