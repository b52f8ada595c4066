"""The check of the built site: every internal link leads somewhere."""

from __future__ import annotations

from pathlib import Path

from tests.docs.build import Page, problems

GOOD = '<a href="b.html#there">b</a><a href="#here">here</a><a id="here" href="https://example.org/x">x</a>'
BAD = (
    '<a href="c.html">no page</a><a href="b.html#gone">no anchor</a><a href="#gone">none here</a>'
    '<script src="https://example.org/x.js"></script><img src="gone.png">'
    '<a href="int:number">a converter</a>'
)


def test_what_leads_nowhere_is_found(tmp_path: Path):
    (tmp_path / "a.html").write_text(GOOD + BAD, encoding="utf-8")
    (tmp_path / "b.html").write_text('<p id="there">', encoding="utf-8")
    assert Page(tmp_path / "b.html").anchors == {"there"}
    assert problems(tmp_path) == [
        "a.html: c.html leads nowhere",
        "a.html: b.html#gone leads nowhere",
        "a.html: #gone leads nowhere",
        "a.html: int:number leads nowhere",
        "a.html: https://example.org/x.js is fetched from the network",
        "a.html: gone.png is not there",
    ]
