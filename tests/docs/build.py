"""Build the site with warnings as errors, and check every internal link: ``python -m tests.docs.build [FOLDER]``.

With ``--built`` after the folder, the site in the folder is only checked. The build needs no network, and the pages
load nothing from the network.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

DOCS = Path(__file__).parents[2] / "docs"
SCHEMES = {"", "data", "http", "https", "mailto"}
# The elements that make a browser fetch a file, and the attribute that names the file.
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src"}


@dataclass
class Page(HTMLParser):
    """The anchors of a page, its links, and the files that a browser loads for it."""

    file: Path
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.file.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") in ("stylesheet", "icon", "preload"):
            self.fetched.append(values["href"])
        if tag in FETCHED and FETCHED[tag] in values:
            self.fetched.append(values[FETCHED[tag]])


def problems(site: Path) -> list[str]:
    """Return every broken internal link, and every file that a page loads from another site."""
    pages = {file.resolve(): Page(file) for file in sorted(site.rglob("*.html"))}
    found = []
    for file, page in pages.items():
        name = file.relative_to(site.resolve()).as_posix()
        found += [f"{name}: {link} leads nowhere" for link in page.links if not leads_somewhere(link, file, pages)]
        for link in page.fetched:
            if urlsplit(link).netloc:
                found.append(f"{name}: {link} is fetched from the network")
            elif not leads_somewhere(link, file, pages):
                found.append(f"{name}: {link} is not there")
    return found


def leads_somewhere(link: str, file: Path, pages: dict[Path, Page]) -> bool:
    """Return whether a link is to another site, or to an existing file and an existing anchor.

    A link with an unknown scheme is a mistake: Markdown makes a link of `<int:number>` outside of code.
    """
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return parts.scheme in SCHEMES
    target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    anchor = unquote(parts.fragment)
    # A fragment with "=" is not an anchor: the playground takes its program from it.
    if not anchor or "=" in anchor or target not in pages:
        return target.is_file()
    return anchor in pages[target].anchors


def main(folder: str = "", built: str = "") -> int:
    """Build the site, unless `built` is ``--built``, and check it. Return the exit code: 0 if there is no problem."""
    site = Path(folder).resolve() if folder else DOCS / "_build"
    if built != "--built" and (code := build(site)):
        return code
    found = problems(site)
    print("\n".join([*found, f"{site}: {len(found)} problems"]))
    return 1 if found else 0


def build(site: Path) -> int:
    # Not at the top, because the tests of the links also run without Sphinx.
    from sphinx.cmd.build import build_main

    code: int = build_main(["-q", "-W", "--keep-going", "-E", "-b", "html", str(DOCS), str(site)])
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
