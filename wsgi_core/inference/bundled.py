"""The folders that come with the project: inside the package in an installed wheel, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def bundled_folder(*parts: str) -> Path:
    """Return a folder of the project: `models`, `docs`, or `docs`, `course`."""
    installed = PACKAGE / f"_{parts[-1]}"
    return installed if installed.is_dir() else PACKAGE.parent.joinpath(*parts)
