"""Documentation is split into passages at its headings, and found in a checkout and in an installed wheel."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.processes import ROOT
from wsgi_core.inference import bundled
from wsgi_core.shared.retrieval import passages
from wsgi_core.shared.retrieval.passages import MAX_CHARACTERS, read_documentation, split

DOCUMENT = """\
Before.

# First #

One paragraph
of two lines.

<!-- not
# shown -->

Do this:

```sh
# no heading

run it
```

## Second

- a list

### Empty

# Third
Right below.
"""


def cut(markdown: str) -> list[tuple[str, str]]:
    return [(passage.heading, passage.text) for passage in split(markdown, "a.md")]


def test_each_section_keeps_its_heading_and_code_its_blank_lines():
    assert cut(DOCUMENT) == [
        ("", "Before."),
        ("First", "One paragraph\nof two lines.\n\nDo this:\n\n```sh\n# no heading\n\nrun it\n```"),
        ("Second", "- a list"),
        ("Third", "Right below."),
    ]


def test_a_long_section_is_several_passages_and_code_stays_with_what_introduces_it():
    paragraph = "word " * (MAX_CHARACTERS // 8)
    made = cut(f"# A\n\n{paragraph}\n\n{paragraph}\n\n{paragraph}\n\nso:\n\n```\n{'x ' * MAX_CHARACTERS}\n```\n")
    assert len(made) == 3
    assert all(heading == "A" for heading, _ in made)
    assert "so:\n\n```\nx" in made[-1][1]


def test_a_fence_that_is_never_closed_ends_with_the_file():
    assert cut("# A\n\n```\n# b\n\nc") == [("A", "```\n# b\n\nc")]


@given(text=st.text("#` \n-ab~<!>", max_size=60))
def test_no_word_is_lost(text: str):
    text = text.replace("<!--", "")
    kept = "".join(heading + passage for heading, passage in cut(text))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for word in "".join(lines).split():
        assert all(kept.count(letter) >= word.count(letter) for letter in "ab")


def test_the_projects_own_documentation_is_found():
    found = read_documentation()
    sources = {passage.source for passage in found}
    assert {"README.md", "docs/differences.md", "docs/conformance.md"} <= sources
    assert any("waitress" in passage.text for passage in found)


def test_in_a_wheel_the_documentation_comes_with_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "_docs" / "more").mkdir(parents=True)
    (tmp_path / "_docs" / "a.md").write_text("# A\n\nÄ text.\n", encoding="utf-8")
    (tmp_path / "_docs" / "more" / "b.md").write_text("b", encoding="utf-8")
    monkeypatch.setattr(bundled, "PACKAGE", tmp_path)
    monkeypatch.setattr(passages, "PACKAGE", tmp_path)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    class Described:
        json = {"description": readme}

    monkeypatch.setattr(metadata, "metadata", lambda name: Described())
    found = read_documentation()
    assert [(each.source, each.text) for each in found[-2:]] == [("docs/a.md", "Ä text."), ("docs/more/b.md", "b")]
    assert found[:-2] == list(split(readme, "README.md"))


def test_without_metadata_there_is_no_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(bundled, "PACKAGE", tmp_path / "wsgi_core")
    monkeypatch.setattr(passages, "PACKAGE", tmp_path / "wsgi_core")
    monkeypatch.setattr(metadata, "metadata", missing)
    assert read_documentation() == []
