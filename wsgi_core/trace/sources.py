"""The source code on the page of a trace: each function once, with syntax highlighting."""

from __future__ import annotations

import ast
import linecache
import typing as t
from collections.abc import Iterator
from functools import lru_cache
from textwrap import dedent

from markupsafe import Markup
from pygments import highlight
from pygments.filter import simplefilter
from pygments.formatters.html import HtmlFormatter
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, String, Text

from .events import SourceLocation
from .formatting import redact_source

# Of a function with more lines, only the beginning and the lines near marked lines are shown.
_MAX_LINES = 150
_CONTEXT_LINES = 8
_COLOURED = (Comment, Keyword, String)


class Sources:
    """The functions whose source code a page shows, and the lines to mark in each function.

    Iterate over the object to get a dict for each function: `id`, `location`, and `lines` as pairs of a number and
    HTML.
    """

    def __init__(self) -> None:
        self._ids: dict[tuple[str, int], str] = {}
        self._locations: dict[str, SourceLocation] = {}
        self._marked: dict[str, set[int]] = {}

    def add(self, location: SourceLocation) -> str:
        """Add a function, and mark the line that its call has reached. Return the function's ID on the page."""
        name = self._ids.setdefault((location.filename, location.first), f"s{len(self._ids) + 1}")
        self._locations[name] = location
        self._marked.setdefault(name, set()).add(location.line)
        return name

    def __iter__(self) -> Iterator[dict[str, object]]:
        for name, location in self._locations.items():
            yield {"id": name, "location": location, "lines": list(self._lines(name, location))}

    def _lines(self, name: str, location: SourceLocation) -> Iterator[tuple[int, Markup]]:
        """Yield the number and the HTML of each line to show.

        Of a docstring, only the first line and marked lines are shown. Of a function with more than `_MAX_LINES` lines,
        only the beginning and the lines near marked lines are shown.
        """
        docstrings = _docstring_rests(location.filename) - self._marked[name]
        for number, line in enumerate(_coloured(location.filename, location.first, location.last), location.first):
            near = any(abs(number - marked) <= _CONTEXT_LINES for marked in self._marked[name])
            if number not in docstrings and (number - location.first < _MAX_LINES or near):
                yield number, line


@simplefilter  # type: ignore[untyped-decorator]
def _few_colours(self: t.Any, lexer: t.Any, stream: t.Any, options: t.Any) -> Iterator[tuple[t.Any, str]]:
    """Highlight only comments, keywords and strings, because more colours would make a page three times as long."""
    for kind, text in stream:
        yield (kind if any(kind in family for family in _COLOURED) else Text), text


@lru_cache(maxsize=512)
def _coloured(filename: str, first: int, last: int) -> list[Markup]:
    """Return the lines from `first` to `last` of a file as HTML, without their common indent and with secrets redacted.

    Return [] if the file cannot be read or has no such lines.
    """
    lines = [redact_source(line.rstrip()) for line in linecache.getlines(filename)[first - 1 : last]]
    if not lines:
        return []
    lexer = PythonLexer(stripnl=False, ensurenl=False)
    lexer.add_filter(_few_colours())
    html = highlight(dedent("\n".join(lines)), lexer, HtmlFormatter(nowrap=True))
    return [Markup(line) for line in html.split("\n")[: len(lines)]]


@lru_cache(maxsize=256)
def _docstring_rests(filename: str) -> set[int]:
    """Return the line numbers of the docstrings of functions and classes in a file, except the first line of each."""
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except (SyntaxError, ValueError):
        return set()
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(node, False):
            docstring = node.body[0]
            found.update(range(docstring.lineno + 1, (docstring.end_lineno or docstring.lineno) + 1))
    return found
