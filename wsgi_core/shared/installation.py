"""The text of the `pip install` command for this package and its extras, as messages and pages show it."""

from __future__ import annotations

# Whether `pip install wsgi_core` installs this project. Set this to True when the package is on PyPI: see RELEASE.md.
PUBLISHED = False


def install_command(extra: str) -> str:
    """Return the command that installs the package with ``extra``: from PyPI if `PUBLISHED`, or from a checkout."""
    if PUBLISHED:
        return f'python -m pip install "wsgi_core[{extra}]"'
    return f'python -m pip install ".[{extra}]" (in a checkout of wsgi_core)'
