"""What is wrong with a request by the protocol's own rules, before any model looks at it."""

from __future__ import annotations

from ..errors import InputError

_LONGEST = 100


class InvalidRequest(InputError):
    """A request, or a part of it, that the protocol does not allow."""


def quoted(text: str) -> str:
    """A name that a client chose, in quotes and never longer than a line."""
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
