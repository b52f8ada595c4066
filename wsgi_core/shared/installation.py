"""How this package and its extras are installed, as messages and pages say it."""

from __future__ import annotations

# Whether `pip install wsgi_core` finds this project. A release to the index sets it: see RELEASE.md.
PUBLISHED = False


def install_command(extra: str) -> str:
    """Return the command that installs ``extra``: by name from the index, or from a checkout until it is published."""
    if PUBLISHED:
        return f'python -m pip install "wsgi_core[{extra}]"'
    return f'python -m pip install ".[{extra}]" (in a checkout of wsgi_core)'
