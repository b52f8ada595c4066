"""The files of a unit exist, and files that use the browser or the servers of the session belong to a unit."""

from __future__ import annotations

import re

import pytest

from tests.processes import ROOT

distribution = pytest.importorskip("tests.distribution")


def test_every_file_of_a_unit_exists():
    assert [file for files in distribution.UNITS.values() for file in files if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize(
    ("fixture", "units"), [("browser", {"the browser"}), ("servers", {"the browser", "the servers"})]
)
def test_the_files_that_use_a_shared_fixture_run_in_its_unit(fixture: str, units: set[str]):
    parameter = re.compile(rf"\n(?:async )?def \w+\([^)]*\b{fixture}: ", re.MULTILINE)
    files = {file: file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py")}
    users = [file.relative_to(ROOT).as_posix() for file, text in files.items() if parameter.search(text)]
    assert users
    assert {distribution.unit_of(f"{user}::test") for user in users} <= units


def test_units_come_before_other_files():
    first, other = "tests/trace/test_page.py::test_a", "tests/test_app.py::test_a"
    assert distribution.rank(first) == 0
    assert distribution.rank(other) == len(distribution.FIRST)
