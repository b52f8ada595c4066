"""Run suites on both sides: ``python -m tests.conformance.extension_suites --group first``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from ..flask_suite import __main__ as flask_suite
from ..flask_suite.fetch import FetchError
from ..flask_suite.suite import Outcomes
from . import report, suites
from .run import default_cache, environment, run

REPEATS = 2


def parser() -> argparse.ArgumentParser:
    """The command line."""
    said = argparse.ArgumentParser(
        prog="python -m tests.conformance.extension_suites",
        description=__doc__,
        epilog="Exit code: 0 no difference without a reason, 1 there is one, 2 a suite could not be fetched.",
    )
    said.add_argument("titles", nargs="*", metavar="EXTENSION", help="suites by title (default: all of the group)")
    said.add_argument("--group", choices=suites.GROUPS, help="the suites of one group (default: both)")
    said.add_argument("--check", action="store_true", help="write nothing, and compare with the stored result")
    said.add_argument("--cache", type=Path, default=default_cache(), help="cache folder (%(default)s)")
    return said


def chosen(options: argparse.Namespace) -> list[suites.Suite]:
    """The suites that the command line names."""
    return [
        suite
        for suite in suites.load()
        if options.group in {None, suite.group} and (not options.titles or suite.title in options.titles)
    ]


def both(suite: suites.Suite, cache: Path, only: Sequence[str] = ()) -> list[Outcomes]:
    """Run a suite, or `only` some of its tests, on Flask and on the core: at the same time if it can."""
    with ThreadPoolExecutor(1 if suite.in_turn else 2) as pool:
        return list(pool.map(lambda subject: run(suite, subject, cache, only), ("real", "core")))


def compared(suite: suites.Suite, cache: Path) -> report.Comparison:
    """Compare both sides. Tests that differ run again: a difference has to last."""
    if not suite.tests:
        return report.Comparison(suite.title, suite.version, suite.group)
    environment(suite.lock, cache)
    real, core = both(suite, cache)
    tests = report.differing(real, core)
    for _ in range(REPEATS):
        if tests:
            again = report.differing(*both(suite, cache, tests))
            tests = [test for test in tests if test in again]
    return report.compare(suite, real, core, tests)


def main() -> int:
    """Run the command; return its exit code."""
    options, stored, wrong = parser().parse_args(), report.load()["suites"], list[str]()
    found = []
    for suite in chosen(options):
        try:
            found.append(compared(suite, options.cache))
        except FetchError as error:
            print(f"{suite.title}: {error}", file=sys.stderr)
            return 2
        print(report.line(asdict(found[-1])), flush=True)
        wrong += report.problems(suite, found[-1], stored.get(suite.title) if options.check else None)
        if not options.check:
            report.save(found, [suite.title for suite in suites.load()])
            flask_suite.rewrite_page()
    print(*(wrong or ["no difference without a reason"]), sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
