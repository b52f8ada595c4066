"""Each program of the ten questions has on both frameworks the output and the trace that its page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conformance.golden_apps import CASES
from tests.docs.questions import PROGRAMS, printed, source, traced

by_name = pytest.mark.parametrize("program", PROGRAMS, ids=lambda file: file.stem)
on_both = pytest.mark.parametrize("framework", ["flask", "wsgi_core"])


def test_there_are_ten():
    assert len(PROGRAMS) == 10
    assert all(program.with_suffix(".md").exists() for program in PROGRAMS)


@by_name
def test_programs_are_short_and_run_on_both(program: Path):
    assert len(source(program, "flask").splitlines()) < 30
    assert not re.search(r"^(from|import) flask", source(program, "wsgi_core"), re.MULTILINE)


@by_name
def test_each_page_links_to_a_golden_trace(program: Path):
    page = program.with_suffix(".md").read_text(encoding="utf-8")
    linked = re.findall(r'<a href="\.\./_static/traces/(\w+)\.html">', page)
    assert linked
    assert set(linked) <= set(CASES)


@by_name
@on_both
def test_what_they_print(program: Path, framework: str):
    assert printed(program, framework) == program.with_suffix(".output.txt").read_text(encoding="utf-8")


@by_name
@on_both
def test_traces(program: Path, framework: str):
    assert traced(program, framework) == program.with_suffix(".trace.txt").read_text(encoding="utf-8")
