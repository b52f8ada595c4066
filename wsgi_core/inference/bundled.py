"""The folders that come with the project. A wheel has them inside the package, a checkout has them beside it."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def bundled_folder(*parts: str) -> Path:
    """Return the path of a folder of the project: `bundled_folder("docs", "course")` is docs/course in a checkout."""
    installed = PACKAGE / f"_{parts[-1]}"
    return installed if installed.is_dir() else PACKAGE.parent.joinpath(*parts)
