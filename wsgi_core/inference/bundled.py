"""The folders that come with the project, such as the models.

In an installation, these folders are inside the package. In a checkout, they are beside the package.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def bundled_folder(*parts: str) -> Path:
    """Return the path of a folder that comes with the project.

    `bundled_folder("docs", "course")` is docs/course in a checkout, and wsgi_core/_course in an installation.
    """
    installed = PACKAGE / f"_{parts[-1]}"
    return installed if installed.is_dir() else PACKAGE.parent.joinpath(*parts)
