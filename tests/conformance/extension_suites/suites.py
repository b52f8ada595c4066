"""Read suites.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("suites.toml")
GROUPS = ("first", "second")


@dataclass(frozen=True)
class Suite:
    """One extension: its pinned source distribution, and how pytest runs its tests.

    `tests` is empty if the source distribution has no tests. `plugins` are modules of pytest plugins; `options` are
    other arguments of pytest. `in_turn` is true if the tests start a server on a fixed port, so that both sides cannot
    run at the same time. `reasons` maps a test that differs to the reason why the difference is accepted.
    """

    title: str
    project: str
    version: str
    sdist: str
    sha256: str
    group: str = ""
    tests: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    in_turn: bool = False
    notes: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def lock(self) -> Path:
        """The lock file of the suite's group, which has the versions of all packages."""
        return FILE.parent / "locks" / f"{self.group}.txt"


def load(path: Path = FILE) -> tuple[Suite, ...]:
    """Return the suites in the order of the file."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(
        Suite(title, **{key: _frozen(value) for key, value in entry.items()}) for title, entry in entries.items()
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
