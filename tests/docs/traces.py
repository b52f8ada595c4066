"""Write a step-through page for each golden trace: ``python -m tests.docs.traces [OUT]``."""

from __future__ import annotations

import argparse
import logging
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from tests.conformance import golden_apps
from tests.conformance.golden_apps import CASES, FRAMEWORKS, Case, record
from wsgi_core.trace import Trace, compare, compare_answers
from wsgi_core.trace.page import render_page

STATIC = Path(__file__).parents[2] / "docs" / "_static" / "traces"


def write_pages(folder: Path = STATIC) -> list[Path]:
    """Write ``<name>.html`` for each golden trace into a folder, which is created if necessary."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / f"{name}.html", name, case) for name, case in CASES.items()]


def _write(file: Path, name: str, case: Case) -> Path:
    file.write_text(page(name, case), encoding="utf-8", errors="backslashreplace", newline="\n")
    return file


def page(name: str, case: Case) -> str:
    """Return the page of one case."""
    with _silent():
        left, right = (_second(case, fw, f"{package} {version(package)}") for package, fw in FRAMEWORKS.items())
    rows = [*compare(left.events, right.events), *compare_answers(left, right)]
    return render_page(rows, left, right, name.replace("_", " "), case.lead, site="../../")


def _second(case: Case, fw: t.Any, label: str) -> Trace:
    """Return the trace of the second of two runs, because the first run fills the caches."""
    return [record(case.build, case.drive, fw, label, snapshots=True) for _ in range(2)][1]


@contextmanager
def _silent() -> Iterator[None]:
    """Disable the logger of the golden apps. Some cases raise errors, which would be logged."""
    logger = logging.getLogger(golden_apps.__name__)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def main() -> None:
    """Write the pages into the folder on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs.traces", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT", nargs="?", default=STATIC)
    print(f"{len(write_pages(parser.parse_args().out))} pages")


if __name__ == "__main__":
    main()
