"""Draw the architecture from the imports: ``python -m tests.docs.architecture`` writes the picture."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from tests.processes import ROOT
from tests.test_design import imported, parsed

PACKAGES = ("wsgi_core", "flask_equiv", "loadtests")
PICTURE = ROOT / "docs" / "develop" / "architecture.svg"


@dataclass(frozen=True)
class Room:
    """A layer of the architecture: the name of its folder, and its purpose."""

    name: str
    purpose: str


# From the top down. A layer may import only layers below it.
ROOMS = (
    Room("loadtests", "measure: rungs, load, intervals, report"),
    Room("trace", "one request watched in both frameworks"),
    Room("commands", "the other subcommands of wsgi-core"),
    Room("serving", "waitress: admission, deadlines, clean stop"),
    Room("flask_equiv", "the service and its views, on Flask"),
    Room("service", "the same text on the core: views, thin"),
    Room("shared", "what both twins use; knows no framework"),
    Room("inference", "ONNX models; knows no HTTP"),
    Room("core", "the request lifecycle, with Flask's names"),
)
NAMES = [room.name for room in ROOMS]
# The libraries that the picture shows in the boxes of the layers that import them.
LIBRARIES = ("flask", "onnxruntime", "pydantic", "waitress", "werkzeug")


def room_of(module: str) -> str:
    """Return the layer of a dotted name: its folder, or "core" for a module in the root of wsgi_core.

    The entry point ``__main__`` imports the commands, so it belongs to their layer. For any other package, return "".
    """
    first, _, rest = module.partition(".")
    if first != "wsgi_core":
        return first if first in NAMES else ""
    name = rest.partition(".")[0]
    if name == "__main__":
        return "commands"
    return name if name in NAMES else "core"


def files() -> Iterator[Path]:
    """Yield the source files of the three packages."""
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def imports() -> set[tuple[str, str]]:
    """Return each pair of layers of which the first imports from the second."""
    found = set()
    for file in files():
        room = room_of(".".join(file.relative_to(ROOT).with_suffix("").parts))
        found |= {(room, room_of(name)) for name in names_in(file) if name.partition(".")[0] in PACKAGES}
    return {(one, other) for one, other in found if one != other}


def libraries() -> dict[str, list[str]]:
    """Return, by layer, which of `LIBRARIES` the layer imports."""
    found: dict[str, set[str]] = {name: set() for name in NAMES}
    for file in files():
        room = room_of(".".join(file.relative_to(ROOT).with_suffix("").parts))
        found[room] |= {name.partition(".")[0] for name in names_in(file)} & set(LIBRARIES)
    return {name: sorted(each) for name, each in found.items()}


@cache
def names_in(file: Path) -> frozenset[str]:
    """Return the dotted names that a file imports, including names in calls of ``import_module("...")``."""
    return frozenset(imported(file)) | frozenset(loaded_by_name(file))


def loaded_by_name(file: Path) -> list[str]:
    """Return the literal arguments of ``import_module("...")``."""
    calls = (node for node in ast.walk(parsed(file)) if isinstance(node, ast.Call) and node.args)
    return [
        node.args[0].value
        for node in calls
        if isinstance(node.func, ast.Attribute | ast.Name)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module"
        and isinstance(node.args[0], ast.Constant)
    ]


# The picture

WIDTH, LEFT, BOX, HEIGHT, GAP = 650, 1, 460, 58, 14
# A style inside an SVG applies to the whole page, so each selector begins with the class of the picture.
STYLE = """
.rooms .room { fill: var(--color-background-secondary, #f6f6f6); stroke: var(--color-foreground-border, #888); }
.rooms .name { font: 600 15px sans-serif; fill: var(--color-foreground-primary, #222); }
.rooms .purpose { font: 13px sans-serif; fill: var(--color-foreground-secondary, #555); }
.rooms .library { font: 12px monospace; fill: var(--color-foreground-muted, #666); text-anchor: end; }
.rooms .import { fill: none; stroke: var(--color-brand-primary, #06c); stroke-width: 1.5; }
.rooms .head { fill: var(--color-brand-primary, #06c); }
"""


def picture() -> str:
    """Return the SVG: a box for each layer, and an arc from each importing layer to the imported layer."""
    found = sorted(imports(), key=lambda pair: (NAMES.index(pair[0]), NAMES.index(pair[1])))
    used = libraries()
    parts = [_box(room, number, used[room.name]) for number, room in enumerate(ROOMS)]
    parts += [_arc(one, other, found) for one, other in found]
    height = len(ROOMS) * (HEIGHT + GAP)
    label = "The rooms of the project from the top down, and which imports which"
    return (
        '<svg class="rooms" xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="0 0 {WIDTH} {height}" aria-label="{label}">\n'
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _top(number: int) -> int:
    return number * (HEIGHT + GAP) + GAP // 2


def _box(room: Room, number: int, used: list[str]) -> str:
    top = _top(number)
    return (
        f'<rect class="room" x="{LEFT}" y="{top}" width="{BOX}" height="{HEIGHT}" rx="6"/>'
        f'<text class="name" x="14" y="{top + 24}">{escape(room.name)}</text>'
        f'<text class="purpose" x="14" y="{top + 45}">{escape(room.purpose)}</text>'
        f'<text class="library" x="{BOX - 10}" y="{top + 22}">{escape(" ".join(used))}</text>'
    )


def _arc(one: str, other: str, found: list[tuple[str, str]]) -> str:
    """Return an arc from the right side of the importing layer to the right side of the imported layer."""
    start = _height(one, (one, other), found)
    end = _height(other, (one, other), found)
    reach = BOX + 26 * abs(NAMES.index(other) - NAMES.index(one))
    right = LEFT + BOX
    return (
        f"<g><title>{escape(one)} imports {escape(other)}</title>"
        f'<path class="import" d="M{right} {start} C{reach} {start} {reach} {end} {right + 6} {end}"/>'
        f'<path class="head" d="M{right} {end} l9 -4 v8 z"/></g>'
    )


def _height(room: str, pair: tuple[str, str], found: list[tuple[str, str]]) -> float:
    """Return the y coordinate at which an arc meets the side of a layer. Incoming arcs are above outgoing arcs."""
    arcs = [each for each in found if room in each]
    arcs.sort(key=lambda each: (each[1] != room, -NAMES.index(each[0]) if each[1] == room else -NAMES.index(each[1])))
    return round(_top(NAMES.index(room)) + HEIGHT * (arcs.index(pair) + 1) / (len(arcs) + 1), 1)


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(picture(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
