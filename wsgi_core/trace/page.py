"""Show one trace, or two traces side by side, as an HTML file that needs no other file.

If the traces have snapshots, the page shows the contexts, the request, the session, g and the response at each event.
Without JavaScript, the page is a list of all events. With JavaScript, it shows one event at a time, beside the source
code.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import pairwise

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from .align import Row
from .events import GROUPS, Event, Snapshot, SourceLocation, Trace, Values
from .explanations import EXPLANATIONS
from .formatting import REDACTED, is_secret, redact
from .hook_status import HookStatus, hooks_at
from .sources import Sources
from .terminal import verdict

_SECTIONS = ("contexts", "request", "session", "g", "response")
_TITLES = {"contexts": "context stack"}
_NO_SNAPSHOT = Snapshot()


def render_page(
    rows: Sequence[Row],
    left: Trace,
    right: Trace | None,
    title: str = "",
    lead: str = "",
    *,
    site: str = "",
    times: bool = False,
) -> str:
    """Return the HTML of the page.

    rows: the aligned events, from `compare` or `single_trace_rows`
    right: the second trace, or None if there is only one trace
    title: the heading; if `title` is empty, the heading is the method and the path of the request
    lead: a sentence below the heading
    site: the URL of the project's site with a final slash; if `site` is empty, the page has no links to the site
    times: whether to show how long each event took
    """
    sides = [left] if right is None else [left, right]
    environment = Environment(
        loader=PackageLoader("wsgi_core.trace"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    script = environment.get_template("steps.js").render()
    sources = Sources()
    return environment.get_template("steps.html").render(
        title=title or (left.events[0].name if left.events else ""),
        lead=lead,
        verdict=None if right is None else verdict(rows),
        equal=all(row.equal for row in rows),
        sides=sides,
        lengths=[_length(side) for side in sides],
        steps=_steps(rows, sides, sources),
        groups=list(dict.fromkeys(GROUPS.values())),
        scale=_scale(sides),
        sources=sources,
        site=site,
        times=times,
        script=Markup(script),
        script_hash=b64encode(sha256(f"\n{script}\n".encode()).digest()).decode(),
    )


def _begin(trace: Trace) -> float:
    return trace.events[0].start_us if trace.events else 0.0


def _length(trace: Trace) -> float:
    """Return the microseconds from the start of the first event to the latest end of an event."""
    return trace.duration_us - _begin(trace)


def _scale(sides: Sequence[Trace]) -> float:
    return max(_length(side) for side in sides) or 1.0


def _steps(rows: Sequence[Row], sides: Sequence[Trace], sources: Sources) -> list[dict[str, object]]:
    seen = [_NO_SNAPSHOT] * len(sides)
    hooks: list[list[HookStatus]] = [[] for _ in sides]
    steps: list[dict[str, object]] = []
    places = [{id(event): i for i, event in enumerate(side.events)} for side in sides]
    before: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        events = (row.left, row.right)[: len(sides)]
        for i, event in enumerate(events):
            # A side without an event in this row keeps the state of the previous row.
            if event is not None and event.snapshot is not None:
                seen[i] = event.snapshot
                hooks[i] = hooks_at(sides[i].events, places[i][id(event)])
        sections = {name: _section(name, seen, before.get(name, [])) for name in _SECTIONS}
        steps.append(_step(row, [_side(e, s, sources, _scale(sides)) for e, s in zip(events, sides, strict=True)]))
        steps[-1] |= {"sections": _titled(sections, seen), "hooks": _hooks(hooks, sides)}
        before = sections
    return steps


def _step(row: Row, sides: list[dict[str, object]]) -> dict[str, object]:
    return {
        "event": row.event,
        "detail": _detail(row.event),
        "explanation": EXPLANATIONS[row.event.kind],
        "equal": row.equal,
        "mark": row.mark.strip(),
        "sides": sides,
    }


def _detail(event: Event) -> str:
    if event.kind != "answer":
        return event.detail
    return REDACTED if is_secret(event.name) else redact(event.detail)


# The sides


def _side(event: Event | None, trace: Trace, sources: Sources, scale: float) -> dict[str, object]:
    """Return one side of a step: the event, its calls, and its bar on the time scale.

    The start and the length of the bar are percentages of the longer trace's duration.
    """
    if event is None:
        return {"label": trace.label, "event": None}
    locations = event.snapshot.locations if event.snapshot is not None else ()
    at = event.start_us - _begin(trace)
    return {
        "label": trace.label,
        "event": event,
        "detail": _detail(event),
        "at": at,
        "begin": 100 * at / scale,
        "length": 100 * event.duration_us / scale,
        "calls": [_call(location, sources) for location in locations],
    }


def _call(location: SourceLocation, sources: Sources) -> dict[str, object]:
    return {"source": sources.add(location), "location": location, "name": location.name.rpartition("<locals>.")[2]}


# The state


def _section(name: str, seen: Sequence[Snapshot], before: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return a dict for each variable of a section, such as `session` (see `_SECTIONS`).

    `seen` has the snapshot of each trace. `before` is the result for the previous step. Keys of each dict:

    - `name`: the name of the variable
    - `values`: its value in each trace, or None
    - `same`: whether these values are equal
    - `fresh`: whether a value has changed since the previous step
    """
    sides: list[Values] = [getattr(snapshot, name) or {} for snapshot in seen]
    known = {line["name"]: line["values"] for line in before}
    lines = []
    for key in _in_order(sides):
        values = [side.get(key) for side in sides]
        lines.append({
            "name": key, "values": values, "same": all(value == values[0] for value in values),
            "fresh": known.get(key) != values,
        })  # fmt: skip
    return lines


def _in_order(sides: Iterable[Values]) -> list[str]:
    """Return the names in all `sides`. Names that every side has come first. The name `body` comes last."""
    sides = list(sides)
    names = list(dict.fromkeys(name for side in sides for name in side))
    return sorted(names, key=lambda name: (name == "body", not all(name in side for side in sides)))


def _titled(sections: dict[str, list[dict[str, object]]], seen: Sequence[Snapshot]) -> list[dict[str, object]]:
    if all(snapshot is _NO_SNAPSHOT for snapshot in seen):
        return []
    return [{"name": name, "title": _TITLES.get(name, name), "lines": lines} for name, lines in sections.items()]


def _hooks(hooks: Sequence[list[HookStatus]], sides: Sequence[Trace]) -> list[dict[str, object]]:
    """Return the hooks of each side, grouped by kind. A side without hooks is left out.

    If all sides have the same hooks in the same states, return the hooks only once, without a label.
    """
    are_same = all(a == b for a, b in pairwise(hooks))
    labelled = [("", hooks[0])] if are_same else [(s.label, h) for s, h in zip(sides, hooks, strict=True)]
    return [{"label": label, "kinds": _by_kind(some)} for label, some in labelled if some]


def _by_kind(hooks: Sequence[HookStatus]) -> dict[str, list[HookStatus]]:
    kinds: dict[str, list[HookStatus]] = {}
    for hook in hooks:
        kinds.setdefault(hook.kind, []).append(hook)
    return kinds
