"""The functions that a page shows, each once: their lines, coloured a little."""

from __future__ import annotations

import keyword
import linecache
import tokenize
from collections.abc import Iterator
from functools import lru_cache

from markupsafe import Markup

from .events import Spot
from .shown import source_without_secrets

# Of a longer function, its beginning and what surrounds the lines in question.
_LONGEST = 150
_AROUND = 8

_Piece = tuple[int, int, str]


class Sources:
    """Functions by where they begin, with the lines that the page points at."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, int], str] = {}
        self._spots: dict[str, Spot] = {}
        self._marked: dict[str, set[int]] = {}

    def add(self, spot: Spot) -> str:
        """The function's name on the page."""
        name = self._ids.setdefault((spot.filename, spot.first), f"s{len(self._ids) + 1}")
        self._spots[name] = spot
        self._marked.setdefault(name, set()).add(spot.line)
        return name

    def __iter__(self) -> Iterator[dict[str, object]]:
        for name, spot in self._spots.items():
            yield {"id": name, "spot": spot, "lines": list(self._lines(name, spot))}

    def _lines(self, name: str, spot: Spot) -> Iterator[tuple[int, Markup]]:
        lines, pieces = _read(spot.filename)
        numbers = range(spot.first, min(spot.last, len(lines)) + 1)
        indent = min((_indent(lines[number - 1]) for number in numbers if lines[number - 1]), default=0)
        for number in numbers:
            near = any(abs(number - line) <= _AROUND for line in self._marked[name])
            if number - spot.first < _LONGEST or near:
                yield number, _paint(lines[number - 1], pieces.get(number, []), indent)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


@lru_cache(maxsize=256)
def _read(filename: str) -> tuple[list[str], dict[int, list[_Piece]]]:
    """A file's lines, none where there is no such file; and by line number the pieces that have a colour."""
    lines = [source_without_secrets(line.rstrip()) for line in linecache.getlines(filename)]
    pieces: dict[int, list[_Piece]] = {}
    for number, piece in _pieces(lines):
        pieces.setdefault(number, []).append(piece)
    return lines, pieces


def _paint(line: str, pieces: list[_Piece], at: int) -> Markup:
    """The line as HTML, from one column on."""
    html = Markup()
    for begin, end, kind in pieces:
        html += line[at:begin]
        html += Markup('<i class="{}">{}</i>').format(kind, line[max(begin, at) : end])
        at = max(end, at)
    return html + line[at:]


def _pieces(lines: list[str]) -> Iterator[tuple[int, _Piece]]:
    """Line number, first and last column, and what it is: comment or docstring, keyword, string."""
    before = tokenize.NEWLINE
    try:
        for token in tokenize.generate_tokens(iter([f"{line}\n" for line in lines]).__next__):
            kind = _kind(token, before)
            if kind:
                yield from _by_line(token, kind, lines)
            if token.type not in (tokenize.NL, tokenize.COMMENT):
                before = token.type
    except (tokenize.TokenError, SyntaxError):
        return


def _kind(token: tokenize.TokenInfo, before: int) -> str:
    if token.type == tokenize.COMMENT:
        return "c"
    if token.type == tokenize.STRING:
        return "c" if before in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT) else "s"
    return "k" if token.type == tokenize.NAME and keyword.iskeyword(token.string) else ""


def _by_line(token: tokenize.TokenInfo, kind: str, lines: list[str]) -> Iterator[tuple[int, _Piece]]:
    (first, begin), (last, end) = token.start, token.end
    for number in range(first, last + 1):
        yield number, (begin if number == first else 0, end if number == last else len(lines[number - 1]), kind)
