"""The README's statements about routes and files are true."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from tests.docs.blocks import ROOT
from wsgi_core.service import create_app

README = (ROOT / "README.md").read_text(encoding="utf-8")
WRITTEN = set(re.findall(r"`(?:(?:GET|POST) )?(/[^` ]*)`", README))


def test_every_route_is_named():
    """The routes below /v2 are listed together. Files and browser pages are linked from their start page."""
    rules = {rule.rule for rule in create_app().url_map.iter_rules()}
    together = {rule for rule in rules if rule.startswith(("/v2", "/demo/static", "/docs/"))}
    assert rules - together <= WRITTEN


def test_no_other_route_is_named():
    rules = {rule.rule for rule in create_app().url_map.iter_rules()}
    assert WRITTEN - rules == set()


@pytest.mark.parametrize("file", [ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda file: file.name)
def test_links_lead_somewhere(file):
    links = re.findall(r"\]\(([^)#]+)", file.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not urlsplit(link).scheme and not (file.parent / link).exists()] == []


@pytest.mark.parametrize("file", sorted((ROOT / "docs").rglob("*.svg")), ids=lambda file: file.name)
def test_a_chart_has_a_ground_of_its_own(file):
    """An image follows the system's colour mode, not the page's. Without a background, its text may be invisible."""
    text = file.read_text(encoding="utf-8")
    if 'class="chart' in text:
        assert '<rect width="100%" height="100%" style="fill: var(--paper)"/>' in text
