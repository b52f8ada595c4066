"""What the command does beside a study: the proof of the instrument, the user's own applications, taking up a run."""

from __future__ import annotations

import datetime
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console

from loadtests import apps, validate
from loadtests.instrument import environment, trials
from loadtests.instrument.inprocess import RunFailed
from loadtests.instrument.plan import Plan, repeated
from loadtests.instrument.progress import Step, duration
from loadtests.instrument.results import ResultError, Results, read
from loadtests.instrument.trials import Pace, Trial
from loadtests.report import terminal, validation_page

# What a shell gets.
FAILED, INTERRUPTED = 5, 130


def finish(carry_out: Callable[[], None], out: Path) -> int:
    """Carry a plan out; the exit code. What was measured until an interruption is in the result file."""
    try:
        carry_out()
    except RunFailed as error:
        click.echo(str(error), err=True)
        return error.code
    except KeyboardInterrupt:
        click.echo(f"interrupted: what was measured is kept in {out}; --resume goes on from there", err=True)
        return INTERRUPTED
    return 0


def resumable(path: Path, command: str) -> Results:
    """The interrupted run in ``path``; raises ``ClickException`` when it is none that this command can take up."""
    try:
        results = read(path)
    except ResultError as error:
        raise click.ClickException(f"nothing to resume: {error}") from error
    if results.command != command:
        raise click.ClickException(f"{path} is of another run: {results.command}")
    _same_place(path, results.environment)
    return results


def _same_place(path: Path, before: dict[str, object]) -> None:
    """Raises ``ClickException`` if code or machine are not those of the first part."""
    now = environment.describe()
    for name, word in (("revision", "code"), ("cpu", "machine"), ("python", "Python")):
        if before.get(name) != now[name]:
            raise click.ClickException(
                f"{path} cannot be resumed: the {word} is not the same: {before.get(name)}, now {now[name]}"
            )


# The user's own applications


def measure_apps(specifications: Sequence[str], request_files: Sequence[Path], quick: bool, out: Path) -> int:
    """Compare the answers, measure, report."""
    found = apps.parse_all(specifications)
    wanted = apps.trials_of(found, request_files)
    console = terminal.console()
    try:
        answers = trials.try_out(wanted)
    except RunFailed as error:
        click.echo(str(error), err=True)
        return error.code
    results = _empty(found, wanted, quick, apps.differences(answers), request_files)
    for note in results.notes:
        console.print(f"Note: {note}", markup=False)
    path = out / "results.json"
    plan = Plan(_steps(wanted, results, apps.QUICK if quick else apps.FULL), results.done)
    results.planned_seconds = plan.seconds
    console.print(f"{results.title}: about {duration(plan.seconds)}. Leave the machine alone meanwhile.", markup=False)
    started = time.monotonic()

    def keep() -> None:
        results.seconds = round(time.monotonic() - started, 1)
        results.write(path)

    def carry_out() -> None:
        plan.carry_out(console, keep)
        results.partial = False
        results.environment_after = environment.load()
        keep()

    out.mkdir(parents=True, exist_ok=True)
    return finish(carry_out, path)


def _empty(
    found: Sequence[apps.App], wanted: Sequence[Trial], quick: bool, notes: list[str], files: Sequence[Path]
) -> Results:
    given = [f"{app.name}={app.target}" for app in found]
    command = ["wsgi-core overhead --apps", *given, *(f"--request {path}" for path in files)]
    return Results(
        study="apps",
        title=" and ".join(app.name for app in found) + ", in process",
        quick=quick,
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        planned_seconds=0.0,
        command=" ".join([*command, *(["--quick"] if quick else [])]),
        rows=", ".join(path.name for path in files) or "GET /",
        environment=environment.describe(),
        experiments=[trial.empty_result() for trial in wanted],
        notes=notes,
    )


def _steps(wanted: Sequence[Trial], results: Results, pace: Pace) -> list[Step]:
    dice = random.Random()

    def measure(_: int) -> None:
        samples = trials.measure(wanted, pace, dice.randrange(1, 2**32))
        for result in results.experiments:
            result.processes.append(samples[result.key])

    return [step for _, step in repeated("in process", pace.processes, pace.process_seconds(wanted), measure)]


# The proof of the instrument


def measure_validation(quick: bool, out: Path, resume: bool) -> int:
    """Carry out the validation, and write ``validation.json`` and ``VALIDATION.md``."""
    console = terminal.console()
    path = out / "validation.json"
    found = _resumed_validation(path) if resume else None
    out.mkdir(parents=True, exist_ok=True)
    run = validate.Validating(out, validate.QUICK_SCALE if quick else 1.0, found)
    if run.plan.finished:
        click.echo(f"{path} is complete: nothing is left to measure")
    planned = duration(run.plan.seconds)
    console.print(f"The proof of the instrument: about {planned}. Leave the machine alone meanwhile.", markup=False)
    code = finish(lambda: run.carry_out(console), path)
    if path.exists():
        show_validation(console, path)
    return code


def show_validation(console: Console, path: Path) -> None:
    """Print the verdicts, and write the page beside the file."""
    found = validate.read(path)
    target = path.with_name("VALIDATION.md")
    target.write_text(validation_page.render(found), encoding="utf-8")
    for check in validation_page.checks(found):
        console.print(f"{check.verdict:>8}  {check.text}: {check.found}", markup=False)
    console.print(f"\n{found.seconds:.0f} s. Written: {path}, {target}", markup=False)


def _resumed_validation(path: Path) -> validate.Validation:
    try:
        found = validate.read(path)
    except ResultError as error:
        raise click.ClickException(f"nothing to resume: {error}") from error
    _same_place(path, found.environment)
    return found
