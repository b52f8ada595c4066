"""The `pip install` command of this package, for messages and pages."""

from __future__ import annotations

# Whether the package is on PyPI. RELEASE.md says when to set this to True.
PUBLISHED = False


def install_command(extra: str) -> str:
    """Return the `pip install` command for this package with the extra `extra`.

    If `PUBLISHED` is false, the command installs a checkout, and the text says so.
    """
    if PUBLISHED:
        return f'python -m pip install "wsgi_core[{extra}]"'
    return f'python -m pip install ".[{extra}]" (in a checkout of wsgi_core)'
