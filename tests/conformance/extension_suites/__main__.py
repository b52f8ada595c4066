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
    """Return the parser of the command line."""
    said = argparse.ArgumentParser(
        prog="python -m tests.conformance.extension_suites",
        description=__doc__,
        epilog="Exit code: 0 each difference has a reason, 1 a suite has a problem, 2 no download.",
    )
    said.add_argument("titles", nargs="*", metavar="EXTENSION", help="titles of suites (default: the whole group)")
    said.add_argument("--group", choices=suites.GROUPS, help="only the suites of this group (default: both groups)")
    said.add_argument("--check", action="store_true", help="write nothing, and compare with the stored result")
    said.add_argument("--cache", type=Path, default=default_cache(), help="cache folder (%(default)s)")
    return said


def chosen(options: argparse.Namespace) -> list[suites.Suite]:
    """Return the suites that the command line selects."""
    return [
        suite
        for suite in suites.load()
        if options.group in {None, suite.group} and (not options.titles or suite.title in options.titles)
    ]


def both(suite: suites.Suite, cache: Path, only: Sequence[str] = ()) -> list[Outcomes]:
    """Run a suite, or `only` some of its tests, on Flask and on the core, at the same time unless `suite.in_turn`."""
    with ThreadPoolExecutor(1 if suite.in_turn else 2) as pool:
        return list(pool.map(lambda subject: run(suite, subject, cache, only), ("real", "core")))


def compared(suite: suites.Suite, cache: Path) -> report.Comparison:
    """Compare both sides. A difference counts only if it persists when the test runs `REPEATS` more times."""
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
    """Run the command. Return its exit code."""
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
