"""The command: ``python -m tests.conformance.flask_suite --help``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from . import denominator, fetch, report, suite

ROOT = Path(__file__).resolve().parents[3]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    said = argparse.ArgumentParser(
        prog="python -m tests.conformance.flask_suite",
        description=f"Run the tests of Flask {fetch.FLASK_VERSION}, unchanged, against wsgi_core.",
        epilog="Exit code: 0 the goals are met, 1 they are not, 2 the suite could not be run.",
    )
    who = said.add_mutually_exclusive_group()
    who.add_argument("--real", action="store_true", help="run against Flask itself and check expected.json")
    who.add_argument("--mocks", action="store_true", help="run against mocks and check which tests assert nothing")
    said.add_argument("--write", action="store_true", help="with --real or --mocks: rewrite expected.json")
    said.add_argument("-k", metavar="EXPRESSION", help="pytest's -k: run only some tests, and write no page")
    said.add_argument("--check", action="store_true", help="write nothing; fail if the page is not up to date")
    said.add_argument("--json", type=Path, metavar="FILE", help="write the result to FILE, not docs/conformance.json")
    said.add_argument("--docs", type=Path, metavar="FILE", help="write the page to FILE, not docs/conformance.md")
    said.add_argument("--failures", type=Path, metavar="FILE", help="write pytest's report of each failure to FILE")
    said.add_argument("--versions", choices=["pinned", "installed"], default="pinned", help=_VERSIONS)
    said.add_argument("--sdist", type=Path, metavar="FILE", help="Flask's source distribution, instead of a download")
    said.add_argument("--cache", type=Path, default=fetch.default_cache(), help="cache folder (%(default)s)")
    return said


_VERSIONS = (
    "run with the package versions of pins.txt (default), or with the installed versions; then only the tests count "
    "that Flask itself passes with the installed versions"
)


class Progress:
    """A progress bar on a terminal. Without a terminal, one line at the start."""

    def __init__(self, subject: str, count: int) -> None:
        self.subject, self.count = subject, count
        self.live = sys.stderr.isatty()
        if not self.live:
            print(f"running Flask's tests against {subject}", file=sys.stderr)

    def __call__(self, done: int) -> None:
        if self.live:
            bar = "#" * (30 * done // max(self.count, 1))
            print(f"\r{self.subject:<10} [{bar:<30}] {done}/{self.count}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.live:
            width = shutil.get_terminal_size().columns
            print("\r" + " " * (width - 1) + "\r", end="", file=sys.stderr, flush=True)


def run(subject: str, options: argparse.Namespace, folder: Path) -> suite.Outcomes:
    """Unpack the suite into `folder` and run it against `subject`."""
    archive = fetch.check_sdist(options.sdist) if options.sdist else fetch.sdist(options.cache)
    packages = (fetch.pinned_packages(options.cache),) if options.versions == "pinned" else ()
    place = suite.Place(fetch.unpack(archive, folder / subject), packages)
    progress = Progress({"core": "wsgi_core", "real": "Flask"}.get(subject, subject), len(denominator.load().ids))
    selection = ["-k", options.k] if options.k else []
    try:
        return suite.run(subject, place, selection, progress)
    finally:
        progress.end()


def real(options: argparse.Namespace, folder: Path) -> int:
    """Check the stored denominator against Flask itself, or with --write replace it."""
    outcomes, expected = run("real", options, folder), denominator.load()
    if not outcomes.subject_file.startswith(os.fspath(folder)):
        print(f"not the real Flask: {outcomes.subject_file or outcomes.stopped}")
        return 1
    fresh = denominator.Expected(denominator.by_area(outcomes.passed), expected.asserts_nothing & outcomes.passed)
    print("\n".join(f"{area:<16} {len(tests):>4}" for area, tests in fresh.areas.items()))
    return _compare("pass with Flask", set(expected.ids), outcomes, fresh, options)


def mocks(options: argparse.Namespace, folder: Path) -> int:
    """Check the stored list of tests that assert nothing against mocks, or with --write replace it."""
    outcomes, expected = run("mocks", options, folder), denominator.load()
    fresh = denominator.Expected(expected.areas, frozenset(outcomes.passed & set(expected.ids)))
    return _compare("pass with mocks", set(expected.asserts_nothing), outcomes, fresh, options)


def _compare(
    what: str, stored: set[str], outcomes: suite.Outcomes, fresh: denominator.Expected, options: argparse.Namespace
) -> int:
    print(f"{len(outcomes.passed)} tests {what}, {len(stored)} are stored")
    if outcomes.stopped:
        print(outcomes.stopped)
        return 1
    if options.write and not options.k:
        denominator.save(fresh)
        return 0
    gone = set() if options.k else stored - outcomes.passed
    for test in sorted(gone):
        print(f"stored, but fails: {test}: {outcomes.explain(test)}")
    for test in sorted(outcomes.passed - stored):
        print(f"passes, but is not stored: {test}")
    return 1 if gone or outcomes.passed - stored else 0


def core(options: argparse.Namespace, folder: Path) -> int:
    """Run the suite against wsgi_core, print the table, and write the page and the result, or check the page."""
    expected = denominator.load()
    if options.versions == "installed":
        expected = only(expected, run("real", options, folder), partial=bool(options.k))
    outcomes = run("core", options, folder)
    if options.failures:
        _write_failures(options.failures, expected, outcomes)
    if options.k:
        return _some(expected, outcomes)
    result = report.judge(expected, outcomes, denominator.load_reasons())
    print(report.table(result))
    _print_failures(result)
    stale = options.versions == "pinned" and _page(result, options)
    print(*(result.problems or ["the goals are met"]), sep="\n")
    return 1 if result.problems or stale else 0


def only(expected: denominator.Expected, real: suite.Outcomes, partial: bool) -> denominator.Expected:
    """Return the denominator without the tests that Flask itself fails here, and print these tests.

    In a `partial` run, a test that did not run does not count as failed.
    """
    lost = {test for test in expected.ids if test not in real.passed and (test in real.why or not partial)}
    for test in sorted(lost):
        print(f"does not count here, because Flask itself fails it: {test}: {real.explain(test)}")
    areas = {area: tuple(t for t in tests if t not in lost) for area, tests in expected.areas.items()}
    return denominator.Expected(areas, expected.asserts_nothing - lost)


def _some(expected: denominator.Expected, outcomes: suite.Outcomes) -> int:
    """Print which of the selected tests failed, without judging the goals. Return the exit code."""
    failed = [test for test in expected.ids if test in outcomes.why]
    for test in (*failed, *outcomes.uncollected):
        print(f"{test}: {outcomes.explain(test)}")
    print(f"{len(outcomes.passed)} passed, {len(failed)} failed")
    return 1 if failed or outcomes.uncollected or outcomes.stopped else 0


def _print_failures(result: report.Result) -> None:
    for test, reason in result.failed.items():
        if reason:
            print(f"fails, and that is accepted: {test}: {reason}")


def _page(result: report.Result, options: argparse.Namespace) -> bool:
    """Write the result and the page or, with --check, return whether the existing page is out of date."""
    page = options.docs or ROOT / "docs" / "conformance.md"
    data = options.json or ROOT / "docs" / "conformance.json"
    if not options.check:
        report.write_json(result, data)
        page.write_text(report.markdown(result), encoding="utf-8", newline="\n")
        return False
    there = page.read_text(encoding="utf-8") if page.exists() else ""
    stale = there != report.markdown(result)
    if stale:
        print(f"{page} is not up to date: run python -m tests.conformance.flask_suite")
    return stale


def rewrite_page() -> None:
    """Rewrite the page from the stored results."""
    docs = ROOT / "docs"
    page = report.markdown(report.read_json(docs / "conformance.json"))
    (docs / "conformance.md").write_text(page, encoding="utf-8", newline="\n")


def _write_failures(path: Path, expected: denominator.Expected, outcomes: suite.Outcomes) -> None:
    failed = [test for test in expected.ids if test not in outcomes.passed]
    parts = [f"{test}\n    {outcomes.explain(test)}" for test in failed]
    texts = {**outcomes.uncollected, **{t: outcomes.text[t] for t in failed if t in outcomes.text}}
    parts += [f"\n==== {name}\n{text}" for name, text in texts.items()]
    path.write_text("\n".join([f"{len(failed)} of {len(expected.ids)} do not pass", *parts]) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parser().parse_args(arguments)
    mode: Callable[[argparse.Namespace, Path], int] = core
    if options.real or options.mocks:
        mode = real if options.real else mocks
    with tempfile.TemporaryDirectory(prefix="flask-suite-") as folder:
        try:
            return mode(options, Path(folder).resolve())
        except fetch.FetchError as error:
            print(error, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
