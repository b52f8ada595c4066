"""Judge a run against the denominator, and write the result: a table, a JSON file, docs/conformance.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..extension_suites import report as extension_suites
from ..extensions import NAMES, described
from .denominator import GOALS, Expected, Goal
from .fetch import FLASK_VERSION
from .suite import Outcomes


@dataclass(frozen=True)
class Row:
    """One area: how many of its tests passed, how many of those assert nothing, how many there are."""

    area: str
    passed: int
    asserting_nothing: int
    expected: int


@dataclass(frozen=True)
class Result:
    """The result of a run.

    `failed` maps each test of the denominator that did not pass to its reason, or to None without a reason. `hollow`
    has the tests that passed and assert nothing. `problems` is empty if the goals are met.
    """

    rows: tuple[Row, ...]
    failed: Mapping[str, str | None]
    hollow: tuple[str, ...]
    problems: tuple[str, ...]


def judge(expected: Expected, outcomes: Outcomes, reasons: Mapping[str, str]) -> Result:
    """Return the result: compare the outcomes with the denominator, the goals and the reasons."""
    passed = outcomes.passed
    rows = tuple(
        Row(area, len(passed & set(tests)), len(passed & set(tests) & expected.asserts_nothing), len(tests))
        for area, tests in expected.areas.items()
    )
    failed = {test: reasons.get(test) for test in expected.ids if test not in passed}
    hollow = tuple(test for test in expected.ids if test in passed & expected.asserts_nothing)
    problems = (
        *([outcomes.stopped] if outcomes.stopped else []),
        *_below_floor(rows),
        *(f"fails without a reason: {test}: {outcomes.explain(test)}" for test, why in failed.items() if not why),
        *(f"is listed in reasons.toml but passes: {test}" for test in reasons if test in passed),
        *(f"is listed in reasons.toml but does not count: {test}" for test in reasons.keys() - set(expected.ids)),
    )
    return Result(rows, failed, hollow, problems)


def _sum(title: str, rows: Iterable[Row]) -> Row:
    """Return a row with the sums of `rows`."""
    rows = list(rows)
    counts = ([row.passed for row in rows], [row.asserting_nothing for row in rows], [row.expected for row in rows])
    return Row(title, *map(sum, counts))


def goal_row(goal: Goal, rows: Iterable[Row]) -> Row:
    """Return the row of a goal: the sums over its areas."""
    return _sum(goal.title, (row for row in rows if row.area in goal.areas))


def _below_floor(rows: tuple[Row, ...]) -> list[str]:
    found = [(goal_row(goal, rows), goal.floor) for goal in GOALS]
    return [f"{row.area}: {row.passed} pass, at least {floor} have to" for row, floor in found if row.passed < floor]


def _lines(rows: tuple[Row, ...]) -> Iterator[tuple[Row, str, bool]]:
    """Yield the lines of the table: a row, its goal, and whether the row is a part of a row above it."""
    for goal in GOALS:
        yield goal_row(goal, rows), f"at least {goal.floor}", False
        if len(goal.areas) > 1:
            yield from ((row, "", True) for row in rows if row.area in goal.areas)
    yield _sum("total", rows), "", False


def table(result: Result) -> str:
    """Return the table by area, for a terminal."""
    lines = [f"{'area':<36} {'pass':>4} {'of':>4}  {'goal':<12} {'pass, but assert nothing'}"]
    for row, goal, part in _lines(result.rows):
        name = f"{'  ' if part else ''}{row.area}"
        lines.append(f"{name:<36} {row.passed:>4} {row.expected:>4}  {goal:<12} {row.asserting_nothing}")
    return "\n".join(lines)


def as_json(result: Result) -> str:
    """Return the result as JSON. It does not depend on the machine."""
    return json.dumps({"flask": FLASK_VERSION, **asdict(result)}, indent=1) + "\n"


def write_json(result: Result, path: Path) -> None:
    """Write the result file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_json(result), encoding="utf-8", newline="\n")


def read_json(path: Path) -> Result:
    """Return the result that `write_json` has written."""
    data = json.loads(path.read_text(encoding="utf-8"))
    rows = tuple(Row(**row) for row in data["rows"])
    return Result(rows, data["failed"], tuple(data["hollow"]), tuple(data["problems"]))


_INTRODUCTION = """\
# Flask's own tests, run against wsgi_core

<!-- Written by python -m tests.conformance.flask_suite; do not edit. -->

Flask {version} has its tests in its source distribution. Here they run unchanged, but `import flask` imports
`wsgi_core`. A table in the runner's plugin says which module of the core replaces which module of Flask, and
that `App` replaces `Flask`. A test counts if it passes with Flask itself on the same versions of all other
packages. `tests/conformance/flask_suite/expected.json` lists the names of these {count} tests. A listed test
that is not found counts as failed. **{passed} of {count} pass.**
"""

_HOLLOW = """\
## Tests that assert nothing

Of the tests that pass, these {count} also pass against a module of mocks, because their assertions are in a
function that a mock never calls. So they prove nothing. Without them, {solid} tests pass.
"""

_EXTENSIONS = """\
## Extensions that run unchanged

`import flask` imports `wsgi_core` here too, and these extensions run on the core as they are on PyPI.
`tests/conformance/extensions/apps/` has a small application with each extension. `tests/conformance/test_extensions.py`
runs each application on the core and on Flask, sends both the same requests, and compares status, headers, cookies
and body.

| extension | what the application does with it |
|---|---|
"""

_AGAIN = """\
## Run it

<!-- not run: takes minutes, and fetches Flask's tests; .ci/run does it -->
```
python -m tests.conformance.flask_suite             # against wsgi_core; writes this page
python -m tests.conformance.flask_suite --real      # against Flask itself: checks the denominator
python -m tests.conformance.flask_suite --mocks     # against mocks: which tests assert nothing
python -m tests.conformance.flask_suite -k session  # some tests, with pytest's -k
python -m tests.conformance.extension_suites        # the suites of extensions, on Flask and on wsgi_core
python -m tests.conformance.extension_suites --group first --check   # as CI runs them
```
"""


def markdown(result: Result) -> str:
    """Return the page docs/conformance.md."""
    whole = _sum("total", result.rows)
    introduction = _INTRODUCTION.format(version=FLASK_VERSION, passed=whole.passed, count=whole.expected)
    hollow = _HOLLOW.format(count=len(result.hollow), solid=whole.passed - len(result.hollow))
    parts = [introduction, _markdown_table(result), _failing(result.failed)]
    return "\n".join([*parts, hollow, _names(result.hollow), _extensions(), extension_suites.markdown(), _AGAIN])


def _extensions() -> str:
    rows = (described(name) for name in NAMES)
    return _EXTENSIONS + "".join(f"| {title} | {does} |\n" for title, does in rows)


def _markdown_table(result: Result) -> str:
    lines = ["| area | pass | of | goal | pass, but assert nothing |", "|---|---:|---:|---|---:|"]
    for row, goal, part in _lines(result.rows):
        name = f"- {row.area}" if part else f"**{row.area}**"
        lines.append(f"| {name} | {row.passed} | {row.expected} | {goal} | {row.asserting_nothing} |")
    return "\n".join(lines) + "\n"


def _failing(failed: Mapping[str, str | None]) -> str:
    if not failed:
        return "No test fails.\n"
    lines = ["## Tests that do not pass", "", "| test | why |", "|---|---|"]
    lines += [
        f"| {_name(test)} | {(why or 'no reason given').replace('|', '&#124;')} |" for test, why in failed.items()
    ]
    return "\n".join(lines) + "\n"


def _name(test: str) -> str:
    """Return a test's id as code in a table cell. Two backticks are used because an id may contain a backtick."""
    return f"``{test.removeprefix('tests/')}``".replace("|", "&#124;")


def _names(tests: tuple[str, ...]) -> str:
    """Return a list of tests. Tests that differ only in their parameters are one line, with their number."""
    numbers: dict[str, int] = {}
    for test in tests:
        name = test.partition("[")[0]
        numbers[name] = numbers.get(name, 0) + 1
    return "\n".join(f"- {_name(name)}" + (f" ({n})" if n > 1 else "") for name, n in numbers.items()) + "\n"
