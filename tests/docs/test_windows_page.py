"""The snippets for Windows are valid PowerShell and cmd. Only Windows can run them, but their syntax can be checked."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import tree_sitter
import tree_sitter_powershell

from tests.docs.blocks import PAGES, ROOT, blocks

BLOCKS = [block for page in [*PAGES, ROOT / "loadtests" / "distributed.md"] for block in blocks(page)]
SNIPPETS = [block for block in BLOCKS if block.language == "powershell"]
CMD = [block for block in BLOCKS if block.language in ("bat", "cmd")]


def mistakes(text: str) -> list[str]:
    """Return the places where the grammar finds a syntax error."""

    def walk(node: tree_sitter.Node) -> Iterator[str]:
        if node.is_error or node.is_missing:
            yield f"line {node.start_point.row + 1}: {text.splitlines()[node.start_point.row]}"
        for child in node.children:
            yield from walk(child)

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    return list(walk(parser.parse(text.encode("utf-8")).root_node))


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[snippet.name for snippet in SNIPPETS])
def test_powershell_has_no_mistakes(snippet):
    assert mistakes(snippet.text) == []


def cmd_mistakes(text: str) -> list[str]:
    """Return lines with an open quote, or with the syntax of another shell."""
    foreign = re.compile(r"['$`]|\\$|&&?$|^\s*#")
    return [line for line in text.splitlines() if line.count('"') % 2 or foreign.search(line)]


@pytest.mark.parametrize("snippet", CMD, ids=[snippet.name for snippet in CMD])
def test_cmd_has_no_mistakes(snippet):
    assert cmd_mistakes(snippet.text) == []


@pytest.mark.parametrize("line", ['curl "http://127.0.0.1', "curl -d '{}'", "set A=$B", "curl \\", "# a comment"])
def test_a_mistake_in_cmd_would_be_found(line: str):
    assert CMD
    assert cmd_mistakes(line)


def test_a_mistake_would_be_found():
    assert len(SNIPPETS) >= 5
    assert mistakes("if ($x -eq 1 { 'a' }")
    assert mistakes("$a = @{ b = 1 ")


def test_wsgi_core_is_put_on_the_path_before_it_is_called_by_its_name():
    page = [snippet.text for snippet in SNIPPETS if "windows.md" in snippet.name]
    lines = [line for text in page for line in text.splitlines()]
    first = next(place for place, line in enumerate(lines) if line.startswith("wsgi-core "))
    assert any(line.startswith("$env:Path = ") and "Scripts" in line for line in lines[:first])
