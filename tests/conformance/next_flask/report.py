"""Make the page docs/flask-next.md: what Flask's next version does differently, with the traces of both versions."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "conformance" / "golden"
PAGE = ROOT / "docs" / "flask-next.md"

# Flask 3.2 has one context instead of two, so these events are missing or different in every trace.
MERGED = ("request context ", "app context ")

_HEAD = """\
# What will differ with Flask's next version

<!-- Written by python -m tests.conformance.next_flask; do not edit. -->

The core follows Flask 3.1.3. Here {cases} golden cases run on Flask {version}, beside what Flask 3.1.3 and the core do
today. One change is in all of them: the request context and the application context have become one, so the events
`request context pushed` and `request context popped` are gone. Beyond that, **{different} of them differ**. A line with
`-` is what happens in 3.1.3 and in the core, a line with `+` what happens in {version}.
"""

_TWIN = """\
## Random programs

Of {examples} random programs, {same} do the same on the core and on Flask {version}. The others differ first in these
events:

| on Flask {version} | on the core | programs |
|---|---|---:|
"""


def without_contexts(lines: Sequence[str]) -> list[str]:
    """Return a trace without the events in `MERGED`."""
    return [line for line in lines if not line.startswith(MERGED)]


def known(name: str) -> list[str]:
    """Return the trace of a case in Flask 3.1.3."""
    return (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def differing(traces: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the cases whose traces differ in more than the merged contexts."""
    return [name for name, lines in traces.items() if without_contexts(lines) != without_contexts(known(name))]


def markdown(seen: Mapping[str, Any], version: str) -> str:
    """Return the page."""
    traces = seen["traces"]
    names = differing(traces)
    parts = [_HEAD.format(cases=len(traces), version=version, different=len(names))]
    parts += [f"## {name.replace('_', ' ')}\n\n```diff\n{_both(known(name), traces[name])}\n```\n" for name in names]
    if seen["examples"]:
        rows = [f"| `{' | `'.join(_cells(kind))} | {count} |\n" for kind, count in list(seen["kinds"].items())[:20]]
        parts.append(_TWIN.format(version=version, **seen) + "".join(rows))
    return "\n".join(parts)


def _cells(kind: str) -> list[str]:
    return [f"{cell.strip() or '(ends)'}`" for cell in (*kind.split("|"), "")][:2]


def _both(before: Sequence[str], after: Sequence[str]) -> str:
    lines = difflib.ndiff(without_contexts(before), without_contexts(after))
    return "\n".join(line.rstrip() for line in lines if not line.startswith("?"))
