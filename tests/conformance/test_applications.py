"""Responses of applications are compared without values that change. The command of the package runs applications."""

from __future__ import annotations

import json

import pytest

from tests.conformance.applications import __main__ as command
from tests.conformance.applications.answers import Answer, ask, steady
from tests.conformance.applications.visits import APPLICATIONS, a_page
from tests.conformance.flask_suite.fetch import FLASK_VERSION
from tests.processes import ROOT

ANSWER = Answer("GET /", 200, (("Allow", "GET"),), "the same text")


@pytest.mark.parametrize(
    "other",
    [
        Answer("GET /", 404, ANSWER.headers, ANSWER.body),
        Answer("GET /", 200, (("Allow", "POST"),), ANSWER.body),
        Answer("GET /", 200, ANSWER.headers, "the same texts"),
    ],
    ids=["status", "header", "body"],
)
def test_each_part_of_a_response_is_compared(other: Answer):
    assert list(command.differences([ANSWER], [ANSWER])) == []
    (difference,) = command.differences([ANSWER, ANSWER], [ANSWER, other])
    assert difference.startswith("GET /\n")
    assert len(list(command.differences([ANSWER, ANSWER], [ANSWER]))) == 1


def test_numbers_are_taken_out_where_they_change_and_random_identifiers_everywhere():
    assert steady("took 1.5e-05 s at 12:03", numbers=True) == "took <n> s at <n>:<n>"
    assert steady("took 1.5 s", numbers=False) == "took 1.5 s"
    assert steady(f"run {'0a' * 16} of 0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a", numbers=False) == "run <id> of <id>"


def test_a_response_is_asked_for_as_it_is():
    with a_page() as url:
        answer = ask(int(url.rpartition(":")[2]), "GET /read")
    assert (answer.status, answer.headers, answer.body) == (200, (), "page")


def test_each_application_is_pinned_with_flask():
    for application in APPLICATIONS:
        assert command.version(application)
        pins = (command.LOCKS / f"{application.name.lower()}.txt").read_text(encoding="utf-8")
        assert f"flask=={FLASK_VERSION}\n" in pins


def test_the_page_has_a_row_for_each_application_that_was_visited():
    """If it fails, run ``python -m tests.conformance.applications`` to write the page."""
    stored = json.loads((ROOT / "docs" / "applications.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "applications.md").read_text(encoding="utf-8")
    for application in APPLICATIONS:
        if found := stored.get(application.name):
            assert f"| {application.name} {found['version']} | {application.does} | {found['compared']} |" in page
            assert found["different"] == 0
