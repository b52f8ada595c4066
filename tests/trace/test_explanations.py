"""Every kind of event has an explanation, and the linked chapter exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgi_core.trace import GROUPS
from wsgi_core.trace.explanations import CHAPTERS, EXPLANATIONS

DOCS = Path(__file__).parents[2] / "docs"


def test_every_kind_of_event_has_an_explanation() -> None:
    assert set(EXPLANATIONS) == set(GROUPS)


@pytest.mark.parametrize("kind", sorted(EXPLANATIONS))
def test_an_explanation_leads_to_a_chapter_of_the_course(kind: str) -> None:
    page = EXPLANATIONS[kind].page
    assert (DOCS / page).with_suffix(".md").is_file()


def test_every_chapter_is_led_to() -> None:
    assert {each.subject for each in EXPLANATIONS.values()} == set(CHAPTERS)
