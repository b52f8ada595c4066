"""The snippets for Windows are PowerShell; running them needs Windows, their syntax does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import tree_sitter
import tree_sitter_powershell

from tests.docs.blocks import PAGES, blocks

SNIPPETS = [block for page in PAGES for block in blocks(page) if block.language == "powershell"]


def mistakes(text: str) -> list[str]:
    """The places that the grammar has no meaning for."""

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


def test_a_mistake_would_be_found():
    assert len(SNIPPETS) >= 4
    assert mistakes("if ($x -eq 1 { 'a' }")
    assert mistakes("$a = @{ b = 1 ")
