"""Run a study or the validation of the instrument, and resume an interrupted run."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console

from loadtests import validate
from loadtests.instrument import environment
from loadtests.instrument.progress import duration
from loadtests.instrument.results import ResultError, Results, RunRecord
from loadtests.report import terminal, validation_page
from loadtests.report.files import write
from loadtests.report.format import write_text
from loadtests.run import StudyRun

# The exit code of an interrupted run.
INTERRUPTED = 130
AnyRun = TypeVar("AnyRun", bound=RunRecord)


def measure(run: StudyRun) -> int:
    """Carry out ``run``, write the report of its results, and return the exit code.

    Raises ``RunFailed`` if a part of the run fails.
    """
    console = terminal.console()
    code = _carry_out(console, run.study.title, run)
    if run.path.exists():
        write(console, run.path)
    return code


def _carry_out(console: Console, title: str, run: StudyRun | validate.Validating) -> int:
    """Carry out ``run``. Return 0, or ``INTERRUPTED`` if the user interrupted the run."""
    run.path.parent.mkdir(parents=True, exist_ok=True)
    if run.plan.finished:
        click.echo(f"{run.path} is complete: there is nothing left to measure")
        return 0
    planned = duration(run.plan.seconds)
    console.print(f"{title}: about {planned}. Do not use the machine for anything else meanwhile.", markup=False)
    try:
        run.carry_out(console)
    except KeyboardInterrupt:
        click.echo(f"interrupted; {run.path} has the completed steps, and --resume continues the run", err=True)
        return INTERRUPTED
    return 0


def resumable(path: Path, command: str) -> Results:
    """Return the contents of ``path``, the result file of a run to resume.

    Raises ``ClickException`` if the run cannot be resumed, or if another command than ``command`` started the run.
    """
    results = _unfinished(Results, path)
    if results.command != command:
        raise click.ClickException(f"{path} cannot be resumed: another command started this run: {results.command}")
    return results


def _unfinished(kind: type[AnyRun], path: Path) -> AnyRun:
    """Return the contents of ``path``, the file of a run to resume, as a ``kind``.

    Raises ``ClickException`` if the file cannot be read. Also raises ``ClickException`` if the git revision, the CPU or
    the Python version has changed since the run began.
    """
    try:
        found = kind.read(path)
    except ResultError as error:
        raise click.ClickException(f"nothing to resume: {error}") from error
    before, now = found.environment, environment.describe()
    for name, word in (("revision", "code"), ("cpu", "CPU"), ("python", "Python")):
        if before.get(name) != now[name]:
            raise click.ClickException(
                f"{path} cannot be resumed: the {word} has changed from {before.get(name)} to {now[name]}"
            )
    return found


def measure_validation(quick: bool, out: Path, resume: bool) -> int:
    """Carry out the validation, write ``validation.json`` and ``VALIDATION.md``, and return the exit code.

    Raises ``RunFailed`` if a part of the validation fails.
    """
    console = terminal.console()
    path = out / "validation.json"
    found = _unfinished(validate.Validation, path) if resume else None
    run = validate.Validating(out, validate.QUICK_SCALE if quick else 1.0, found)
    code = _carry_out(console, "The validation of the instrument", run)
    if path.exists():
        found = validate.Validation.read(path)
        target = path.with_name("VALIDATION.md")
        write_text(target, validation_page.render(found))
        for check in validation_page.checks(found):
            console.print(f"{check.verdict:>8}  {check.text}: {check.found}", markup=False)
        console.print(f"\n{found.seconds:.0f} s. Written: {path}, {target}", markup=False)
    return code
