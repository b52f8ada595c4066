"""Each golden trace has a step-through page, and the course links each page."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conformance.golden_apps import CASES
from tests.docs import traces

LISTED = Path(__file__).parents[2] / "docs" / "course" / "traces.md"


def test_every_golden_trace_is_listed_once() -> None:
    links = re.findall(r'<a href="\.\./_static/traces/(\w+)\.html">', LISTED.read_text(encoding="utf-8"))
    assert sorted(links) == sorted(CASES)


def test_a_page_is_written_for_each(tmp_path: Path, monkeypatch) -> None:
    few = {name: CASES[name] for name in ("ok", "unhandled_error")}
    monkeypatch.setattr(traces, "CASES", few)
    files = traces.write_pages(tmp_path / "new" / "folder")
    assert [file.name for file in files] == ["ok.html", "unhandled_error.html"]
    text = files[1].read_text(encoding="utf-8")
    assert "<title>unhandled error: trace</title>" in text
    assert "The view raises an exception without a handler: the response is a 500." in text
    assert re.search(r"equal: \d+ events", text)
    assert 'class="pane' in text
    assert "raise ZeroDivisionError" in re.sub("<[^>]+>", "", text)
