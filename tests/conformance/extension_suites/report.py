"""Compare the outcomes of a suite on Flask and on the core. Write a JSON file, and a part of docs/conformance.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..flask_suite.suite import Outcomes
from .suites import Suite

FILE = Path(__file__).resolve().parents[3] / "docs" / "extension_suites.json"


@dataclass(frozen=True)
class Side:
    """The numbers of passed, failed and skipped tests. `failed` includes files that could not be imported."""

    passed: int
    failed: int
    skipped: int


@dataclass(frozen=True)
class Comparison:
    """One suite on both sides. `differences` maps each test whose outcome differs to both outcomes."""

    title: str
    version: str
    group: str
    real: Side | None = None
    core: Side | None = None
    differences: Mapping[str, str] = field(default_factory=dict)
    stopped: tuple[str, ...] = ()
    notes: str = ""


def side(outcomes: Outcomes) -> Side:
    """Return the numbers of one side."""
    failed = len(outcomes.why.keys() - outcomes.skipped) + len(outcomes.uncollected)
    return Side(len(outcomes.passed), failed, len(outcomes.skipped - outcomes.passed))


def outcome(outcomes: Outcomes, test: str) -> str:
    """Return the outcome of a test, or of a file of tests, as one word or "not run"."""
    if test in outcomes.passed:
        return "passed"
    if test in outcomes.skipped:
        return "skipped"
    return "failed" if test in outcomes.why or test in outcomes.uncollected else "not run"


def differing(real: Outcomes, core: Outcomes) -> list[str]:
    """Return the tests whose outcomes differ."""
    tests = {test for each in (real, core) for test in (*each.passed, *each.why, *each.uncollected)}
    return sorted(test for test in tests if outcome(real, test) != outcome(core, test))


def compare(suite: Suite, real: Outcomes, core: Outcomes, tests: Iterable[str]) -> Comparison:
    """Return the comparison of a suite. `tests` are the tests that differ."""
    differences = {
        test: f"{outcome(real, test)} on Flask, {outcome(core, test)} on the core: {core.explain(test)}"
        for test in tests
    }
    stopped = tuple(each.stopped for each in (real, core) if each.stopped)
    return Comparison(
        suite.title, suite.version, suite.group, side(real), side(core), differences, stopped, suite.notes
    )


def problems(suite: Suite, found: Comparison, stored: Mapping[str, Any] | None) -> list[str]:
    """Return the problems of a comparison as texts.

    A problem is an incomplete run, a difference without a reason, a reason without a difference, or fewer passing tests
    than in the stored result.
    """
    lost = [f"{suite.title}: {why}" for why in found.stopped]
    lost += [f"{suite.title}: {test}: {why}" for test, why in found.differences.items() if test not in suite.reasons]
    lost += [
        f"{suite.title}: has a reason but no difference: {test}"
        for test in suite.reasons
        if test not in found.differences
    ]
    if stored and found.core and stored["core"] and found.core.passed < stored["core"]["passed"]:
        lost.append(f"{suite.title}: {found.core.passed} tests pass on the core, {stored['core']['passed']} are stored")
    return lost


def load(path: Path = FILE) -> dict[str, Any]:
    """Return the stored result: ``suites`` by title, and the version of Python that ran them."""
    if not path.exists():
        return {"python": "", "suites": {}}
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def save(found: Sequence[Comparison], titles: Sequence[str], path: Path = FILE) -> None:
    """Store comparisons. Stored results of other suites in `titles` are kept."""
    suites = load(path)["suites"] | {each.title: asdict(each) for each in found}
    data = {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "suites": {title: suites[title] for title in titles if title in suites},
    }
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8", newline="\n")


def line(found: Mapping[str, Any]) -> str:
    """Return the result of one suite as a line for the terminal."""
    if not found["real"]:
        return f"{found['title']:<20} no tests in the source distribution"
    counts = [f"{found[who]['passed']:>4} pass {found[who]['failed']:>3} fail" for who in ("real", "core")]
    return f"{found['title']:<20} Flask {counts[0]}, core {counts[1]}, {len(found['differences'])} differences"


_PAGE = """\
## The test suites of extensions

The tests that extensions bring in their source distributions run unchanged on Flask and on the core, on the same
versions of all other packages (Python {python}). `tests/conformance/extension_suites/suites.toml` pins each source
distribution by its hash. **{core} tests pass on the core, {real} on Flask, and {differences} have another outcome on
the core than on Flask.** A test that fails on both sides says nothing about the core.

| extension | pass on Flask | pass on the core | fail on both | skipped | differ | |
|---|---:|---:|---:|---:|---:|---|
"""


def markdown(path: Path = FILE) -> str:
    """Return the part of docs/conformance.md that shows the stored result."""
    stored = load(path)
    suites = list(stored["suites"].values())
    ran = [each for each in suites if each["real"]]
    counts = {who: sum(each[who]["passed"] for each in ran) for who in ("real", "core")}
    differences = [(each["title"], test, why) for each in ran for test, why in each["differences"].items()]
    rows = [_row(each) for each in suites]
    page = _PAGE.format(python=stored["python"], differences=len(differences), **counts) + "".join(rows)
    if differences:
        page += "\n| extension | test that differs | outcomes |\n|---|---|---|\n"
        page += "".join(
            f"| {title} | ``{test}`` | {why.replace('|', '&#124;')} |\n" for title, test, why in differences
        )
    return page


def _row(found: Mapping[str, Any]) -> str:
    name = f"{found['title']} {found['version']}"
    if not found["real"]:
        return f"| {name} | | | | | | Its source distribution has no tests. |\n"
    real, core = found["real"], found["core"]
    both = min(real["failed"], core["failed"])
    numbers = (real["passed"], core["passed"], both, core["skipped"], len(found["differences"]))
    return f"| {name} | {' | '.join(map(str, numbers))} | {found['notes']} |\n"
