"""The `pip install` command of this package, as messages and pages show it."""

from __future__ import annotations

# Whether `pip install wsgi_core` installs this project. Set this to True when the package is on PyPI: see RELEASE.md.
PUBLISHED = False


def install_command(extra: str) -> str:
    """Return the command that installs the package with the extra ``extra``.

    If the package is not `PUBLISHED`, the command is for a checkout, and the returned text says so.
    """
    if PUBLISHED:
        return f'python -m pip install "wsgi_core[{extra}]"'
    return f'python -m pip install ".[{extra}]" (in a checkout of wsgi_core)'
