"""The command: ``wsgi-core overhead``, also ``python -m loadtests``.

Exit codes: 0 measured; 2 wrong usage; 4 the contenders do not answer the same; 5 a part of the run failed (a server
that does not start, a failed request); 130 interrupted, with what was measured until then in the result file.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadtests.studies import STUDIES

if TYPE_CHECKING:
    from rich.console import Console

NEEDED = ("flask", "locust", "psutil", "falcon", "bottle")


@click.group(invoke_without_command=True)
@click.option("--quick", is_flag=True, help="Within 90 seconds on 2 cores; wider intervals.")
@click.option(
    "--study", type=click.Choice(list(STUDIES)), default="service", show_default=True,
    help="service: the ladder from the bare callable to Flask, in process and served. core: case by case, with peers.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("overhead"), show_default=True,
    help="The folder for results.json and index.html.",
)  # fmt: skip
@click.pass_context
def overhead(context: click.Context, quick: bool, study: str, out: Path) -> None:
    """Measure what the framework costs: in process, and served under Locust's load."""
    if context.invoked_subcommand:
        return
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise click.UsageError(
            f"not installed: {', '.join(missing)}. Install them with: pip install 'wsgi-core[overhead]'"
        )
    sys.exit(_measure(study, quick, out))


def _measure(study: str, quick: bool, out: Path) -> int:
    from loadtests import progress, terminal
    from loadtests.inprocess import RunFailed
    from loadtests.run import Run

    console = terminal.console()
    out.mkdir(parents=True, exist_ok=True)
    run = Run(STUDIES[study], quick, _command(study, quick), out)
    planned = progress.duration(run.results.planned_seconds)
    console.print(f"{run.study.title}: about {planned}. Leave the machine alone meanwhile.", markup=False)
    code = 0
    try:
        run.carry_out(console)
    except RunFailed as error:
        click.echo(str(error), err=True)
        code = error.code
    except KeyboardInterrupt:
        click.echo("interrupted: what was measured is kept", err=True)
        code = 130
    if code in (0, 130) and run.path.exists():
        _report(console, run.path)
    return code


def _command(study: str, quick: bool) -> str:
    return " ".join(["wsgi-core overhead", "--study", study, *(["--quick"] if quick else [])])


def _report(console: Console, path: Path) -> None:
    """Print what the result file says, and write the page beside it."""
    from loadtests import analysis, page, terminal
    from loadtests.results import read

    results = read(path)
    summary = analysis.summarise(results)
    terminal.show(console, results, summary)
    target = path.with_name("index.html")
    target.write_text(page.render(results, summary), encoding="utf-8")
    console.print(f"\n{results.seconds:.0f} s. Written: {path}, {target}", markup=False)


@overhead.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def report(results: Path) -> None:
    """Show a result file again, and write its page anew."""
    from loadtests import terminal
    from loadtests.results import ResultError

    try:
        _report(terminal.console(), results)
    except ResultError as error:
        raise click.ClickException(str(error)) from error


@overhead.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--readme", "target", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=Path("README.md")
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), default=Path("docs/overhead.svg"))
def readme(results: Path, target: Path, plot: Path) -> None:
    """Write the figures of a result file between the markers of the README, and the plot."""
    from loadtests import analysis
    from loadtests.readme import NoMarkers, write
    from loadtests.results import ResultError, read

    try:
        found = read(results)
        write(found, analysis.summarise(found), target, plot)
    except (NoMarkers, ResultError) as error:
        raise click.ClickException(str(error)) from error


@overhead.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--page", "target", type=click.Path(dir_okay=False, path_type=Path), default="docs/where-the-time-goes.md"
)
def where(results: Path, target: Path) -> None:
    """Write the page that says where the time of a request goes, from the results of --study core."""
    from loadtests import analysis
    from loadtests.results import ResultError, read
    from loadtests.where import NoPhasesError, render

    try:
        found = read(results)
        text = render(found, analysis.summarise(found))
    except (NoPhasesError, ResultError) as error:
        raise click.ClickException(str(error)) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
