"""The functions on the page: each function once, with its lines in order, and without secrets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wsgi_core.trace.events import SourceLocation
from wsgi_core.trace.sources import Sources

FUNCTION = '''\
class View:
    def index(self):
        """First line of the docstring.

        The rest of it.
        """
        password = "hidden-1"
        return "<b>" if password else None
'''


def lines_of(file: Path, first: int, last: int, *marked: int) -> dict[int, str]:
    """Return the lines of one function on the page, without highlighting."""
    sources = Sources()
    for line in marked or (first,):
        sources.add(SourceLocation(str(file), file.name, "function", first, last, line))
    (source,) = sources
    return {number: re.sub("<[^>]+>", "", html) for number, html in source["lines"]}  # type: ignore[attr-defined]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "view.py"
    file.write_text(FUNCTION, encoding="utf-8")
    return file


def test_a_function_has_one_name_however_many_lines_are_marked(file: Path) -> None:
    sources = Sources()
    named = [sources.add(SourceLocation(str(file), "view.py", "index", first, 8, 8)) for first in (2, 2, 1, 2)]
    assert named == ["s1", "s1", "s2", "s1"]
    assert [source["id"] for source in sources] == ["s1", "s2"]


def test_lines_are_escaped_dedented_and_without_secrets(file: Path) -> None:
    lines = lines_of(file, 2, 8)
    assert lines[2] == "def index(self):"
    # Pygments 2.20 and older also escape quotes.
    assert lines[8].replace("&quot;", '"') == '    return "&lt;b&gt;" if password else None'
    assert lines[7].startswith("    password = ")
    assert "hidden-1" not in "".join(lines.values())


def test_a_docstring_is_its_first_line_unless_a_marked_line_is_in_it(file: Path) -> None:
    assert list(lines_of(file, 2, 8)) == [2, 3, 7, 8]
    assert list(lines_of(file, 2, 8, 5)) == [2, 3, 5, 7, 8]


def test_a_long_function_is_its_beginning_and_what_surrounds_the_marked_lines(tmp_path: Path) -> None:
    file = tmp_path / "long.py"
    file.write_text("def long():\n" + "    pass\n" * 400, encoding="utf-8")
    assert list(lines_of(file, 1, 401, 300)) == [*range(1, 151), *range(292, 309)]


def test_a_file_that_cannot_be_read_has_no_lines(tmp_path: Path) -> None:
    assert lines_of(tmp_path / "missing.py", 1, 9) == {}


def test_a_file_that_is_not_python_has_its_lines_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "template.html"
    file.write_text("{% if a %}\n  <p>\n{% endif %}\n", encoding="utf-8")
    assert lines_of(file, 1, 3) == {1: "{% if a %}", 2: "  &lt;p&gt;", 3: "{% endif %}"}
