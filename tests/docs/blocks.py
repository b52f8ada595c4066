"""The fenced blocks of the project's Markdown: their language, the comment before them, and whether they are run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = ("curl", "docker", "flask", "gunicorn", "locust", "python", "waitress-serve", "wsgi-core")
SESSIONS = ("", "console", "sh", "bash", "powershell")

_FENCE = re.compile(r"( *)(`{3,}|:{3,})\s*(\{?[\w-]*\}?)\s*(.*?)\s*")
_REASON = re.compile(r"<!-- not run: (.+?) -->")
_PAGE_REASON = re.compile(r"<!-- not run on this page: (.+?) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    If the block is not run, `reason` says why. `output` is its expected output, if the next block shows one. `step` is
    the program of the course that was named last above the block.
    """

    file: Path
    line: int
    language: str
    argument: str
    text: str
    reason: str = ""
    output: str | None = None
    step: str = ""

    @property
    def name(self) -> str:
        """The file and line of the block."""
        return f"{self.file.relative_to(ROOT).as_posix()}:{self.line}"

    @property
    def is_session(self) -> bool:
        """Whether the block is a shell session that begins with a known command or a prompt."""
        return self.language in SESSIONS and first_word(self.text) in (*COMMANDS, "$")

    @property
    def may_print(self) -> bool:
        """Whether the next block can be this block's output. A session with prompts contains its own output."""
        return self.language == "python" or (self.is_session and not self.text.startswith("$ "))

    @property
    def is_output(self) -> bool:
        """Whether the block is the output of the block before it."""
        return self.language in ("", "text") and not self.is_session


def first_word(text: str) -> str:
    return (text.split() or [""])[0]


def blocks(file: Path) -> Iterator[Block]:
    """Yield the blocks of a file. A block that only shows output becomes the `output` of the block before it."""
    last: Block | None = None
    for block in fenced(file):
        if last and block.is_output and last.output is None and last.may_print:
            last = replace(last, output=block.text)
            continue
        if last:
            yield last
        last = block
    if last:
        yield last


def fenced(file: Path) -> Iterator[Block]:
    """Yield all fenced blocks of a file, including blocks that show output."""
    text = file.read_text(encoding="utf-8")
    whole = _PAGE_REASON.search(text)
    lines = iter(enumerate(text.splitlines(), 1))
    before = step = ""
    for number, line in lines:
        step = last_step(line) or step
        found = _FENCE.fullmatch(line)
        if found:
            indent, fence, language, argument = found.groups()
            reason = _REASON.search(before) or whole
            body = "\n".join(line.removeprefix(indent) for line in _until(fence, lines))
            step = last_step(body) or step
            yield Block(file, number, language, argument, body, reason[1] if reason else "", step=step)
        before = line or before


def last_step(text: str) -> str:
    """Return the last name of a course program in `text`, or "". Requests to port 8000 below it go to this program."""
    return (re.findall(r"step_\d_\w+\.py", text) or [""])[-1]


def _until(fence: str, lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == fence:
            return
        yield line


@dataclass(frozen=True)
class Command:
    """A command line, and its output if the session shows it."""

    line: str
    output: str | None = None
    posix: bool = True

    @property
    def words(self) -> list[str]:
        """Return the words of the line as a shell splits it. In PowerShell, a backslash is an ordinary character."""
        return shlex.split(self.line, comments=True, posix=self.posix)


def commands(block: Block) -> list[Command]:
    """Return the commands of a session: each line, or each line after ``$`` with the output below it."""
    lines = re.sub(r"\\\n\s*", "", block.text).splitlines()
    if not lines[0].startswith("$ "):
        found = [Command(line, posix=block.language != "powershell") for line in lines if line.strip()]
        return [*found[:-1], replace(found[-1], output=block.output)]
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append(Command(line[2:]))
        else:
            found[-1] = replace(found[-1], output=f"{found[-1].output or ''}{line}\n")
    return found
