"""The documentation as passages: short pieces of Markdown files, each with the heading above it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from ...inference.bundled import PACKAGE, bundled_folder

MAX_CHARACTERS = 600
"""The usual maximum length of a passage.

A longer paragraph is not divided. A code block is always in the same passage as the paragraph before it.
"""

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*")
_FENCE = re.compile(r"\s*(?:```|~~~)")


@dataclass(frozen=True, slots=True)
class Passage:
    """One or more paragraphs of a section. `source` is the file, such as `docs/differences.md`."""

    source: str
    heading: str
    text: str


def read_documentation() -> list[Passage]:
    """Return the passages of this project's README and docs, from the checkout or the installed wheel."""
    folder = bundled_folder("docs")
    passages = list(split(_readme(), "README.md"))
    for file in sorted(folder.rglob("*.md")):
        source = f"docs/{file.relative_to(folder).as_posix()}"
        passages.extend(split(file.read_text(encoding="utf-8", errors="replace"), source))
    return passages


def _readme() -> str:
    """Return the text of the README. An installed wheel has this text as the description in its metadata."""
    file = PACKAGE.parent / "README.md"
    if (PACKAGE.parent / "setup.cfg").is_file() and file.is_file():
        return file.read_text(encoding="utf-8")
    try:
        return str(metadata.metadata("wsgi_core").json.get("description", ""))
    except metadata.PackageNotFoundError:
        return ""


def split(markdown: str, source: str) -> Iterator[Passage]:
    """Yield the passages of a Markdown file. `source` is the path of the file in the project."""
    for heading, paragraphs in _sections(_COMMENT.sub("", markdown)):
        text = ""
        for paragraph in paragraphs:
            # A code block stays with the paragraph that introduces it.
            if text and len(text) + len(paragraph) > MAX_CHARACTERS and not _FENCE.match(paragraph):
                yield Passage(source, heading, text)
                text = ""
            text = f"{text}\n\n{paragraph}" if text else paragraph
        if text:
            yield Passage(source, heading, text)


def _sections(markdown: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each heading with the paragraphs below it.

    In a fenced code block, a line with # is not a heading, and an empty line does not end the paragraph.
    """
    heading, fenced = "", False
    paragraphs = [""]
    for line in markdown.splitlines():
        fenced ^= _FENCE.match(line) is not None
        found = None if fenced else _HEADING.fullmatch(line)
        if found:
            yield heading, list(filter(None, paragraphs))
            heading, paragraphs = found[1], [""]
        elif fenced or line.strip():
            paragraphs[-1] += f"\n{line}" if paragraphs[-1] else line
        else:
            paragraphs.append("")
    yield heading, list(filter(None, paragraphs))
