"""The denominator: which of Flask's tests count, in which area, and the reasons for tests that fail.

`expected.json` has the ids of the tests that pass with Flask itself. They are stored and not collected, so that a test
that is not found, not collected or not run counts as failed.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

EXPECTED = Path(__file__).with_name("expected.json")
REASONS = Path(__file__).with_name("reasons.toml")

# The area of a test is that of the first pattern found in its id. Without a match, the area is "lifecycle".
_AREA_PATTERNS = {
    "command line": r"test_cli\.py::|test_testing\.py::test_cli_",
    "instance config": r"test_instance_config\.py::",
    "config": r"test_config\.py::|::test_get_debug_flag",
    "app.run": r"test_basic\.py::test_(run_|werkzeug_passthrough_errors)",
    "files": r"static|::TestSendfile::|::test_open_resource|::TestNoImports::",
    "templating": r"test_templating\.py::|test_blueprints\.py::test_((add_)?template|context_processing)",
}
AREAS = ("lifecycle", "templating", "config", "instance config", "files", "app.run", "command line")


@dataclass(frozen=True)
class Goal:
    """The minimum number of passing tests in some areas. Even above this floor, a failing test needs a reason."""

    title: str
    areas: tuple[str, ...]
    floor: int


GOALS = (
    Goal("the lifecycle", AREAS[:1], 285),
    Goal("templating, config, files, app.run", AREAS[1:6], 140),
    Goal("the command line", AREAS[6:], 50),
)


@dataclass(frozen=True)
class Expected:
    """The denominator.

    `areas` maps each area to the ids of its tests. `asserts_nothing` has the tests that also pass against a module of
    mocks, so that passing them proves little.
    """

    areas: Mapping[str, tuple[str, ...]]
    asserts_nothing: frozenset[str]

    @property
    def ids(self) -> list[str]:
        return [test for tests in self.areas.values() for test in tests]


def area_of(test: str) -> str:
    """Return the area of a test by its id, such as ``tests/test_cli.py::test_find_best_app``."""
    return next((area for area, found in _AREA_PATTERNS.items() if re.search(found, test)), "lifecycle")


def by_area(tests: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Sort test ids into the areas, in the order of `AREAS` and of the ids."""
    areas: dict[str, list[str]] = {area: [] for area in AREAS}
    for test in sorted(tests):
        areas[area_of(test)].append(test)
    return {area: tuple(found) for area, found in areas.items()}


def load(path: Path = EXPECTED) -> Expected:
    """Read the denominator."""
    data = json.loads(path.read_text(encoding="utf-8"))
    areas = {area: tuple(tests) for area, tests in data["areas"].items()}
    return Expected(areas, frozenset(data["asserts_nothing"]))


def save(expected: Expected, path: Path = EXPECTED) -> None:
    """Write the denominator, one id a line."""
    data = {"areas": expected.areas, "asserts_nothing": sorted(expected.asserts_nothing)}
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def load_reasons(path: Path = REASONS) -> dict[str, str]:
    """Return, by the id of a test, why the test does not pass. The file's table ``[reasons]`` has these texts."""
    reasons = tomllib.loads(path.read_text(encoding="utf-8"))["reasons"]
    return {test: " ".join(text.split()) for test, text in reasons.items()}
