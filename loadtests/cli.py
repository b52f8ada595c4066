"""The command: ``wsgi-core overhead``, also ``python -m loadtests``.

Exit codes: 0 measured; 1 nothing that could be done, or something became dearer (``compare``); 2 wrong usage; 3 a model
can't be loaded, or ``compare`` cannot tell; 4 the contenders do not answer the same; 5 a part of the run failed (a
server that does not start, a failed request); 130 interrupted, with what was measured until then in the result file.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.core import ParameterSource

from loadtests.studies import SERVERS, STUDIES
from wsgi_core.shared.installation import install_command

NEEDED = (
    "flask", "locust", "psutil", "falcon", "bottle", "django", "starlette", "fastapi", "uvicorn", "flask_cors",
    "sklearn", "joblib", "pandas", *(() if sys.platform == "win32" else ("gunicorn",)),
)  # fmt: skip


NEEDED_FOR_APPS = ("psutil",)


class Overhead(click.Group):
    """The group of the command: ``--apps`` takes all specifications that follow it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Click's method: ``--apps a=m:x b=m:y`` becomes ``--apps a=m:x --apps b=m:y``."""
        given: list[str] = []
        within = False
        for argument in args:
            within = argument == "--apps" or (within and "=" in argument and not argument.startswith("-"))
            if within and given and argument != "--apps" and given[-1] != "--apps":
                given.append("--apps")
            given.append(argument)
        return super().parse_args(ctx, given)


def _server_names(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """The servers in a list with commas, in the order in which they are known."""
    wanted = {name.strip() for name in value.split(",")} if value else set()
    if unknown := sorted(wanted.difference(SERVERS)):
        raise click.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(SERVERS)}")
    return tuple(name for name in SERVERS if name in wanted)


@click.group(cls=Overhead, invoke_without_command=True)
@click.option("--quick", is_flag=True, help="Within 90 seconds on 2 cores; wider intervals.")
@click.option(
    "--study", type=click.Choice(list(STUDIES)), default="service", show_default=True,
    help="service: the ladder from the bare callable to Flask, in process and served. ladder, served: one of the two,"
    " served with more peers. curve: the framework's share, model by model. core: case by case, with peers.",
)  # fmt: skip
@click.option(
    "--apps", multiple=True, metavar="NAME=MODULE:APP ...",
    help="Your own WSGI applications against each other, in process, in place of a study.",
)  # fmt: skip
@click.option(
    "--request", "requests", multiple=True, metavar="FILE.http", type=click.Path(path_type=Path),
    help="With --apps: what they are asked, as editors' HTTP clients write it: POST /path, headers, a blank line, the"
    " body. Several files are measured apart. Default: GET /.",
)  # fmt: skip
@click.option("--validate", is_flag=True, help="The proof of the instrument, in place of a study: VALIDATION.md.")
@click.option("--resume", is_flag=True, help="Go on with the interrupted run in the folder of --out.")
@click.option(
    "--servers", callback=_server_names, metavar="NAME,...",
    help=f"Only what is served by these: {', '.join(SERVERS)}. Also those that --quick leaves out.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(0), default=0, help="Locust as a master with so many worker processes.")
@click.option("--remote", is_flag=True, help="The workers are started on other machines: see loadtests/distributed.md.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address at which the servers listen.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("overhead"), show_default=True,
    help="The folder for results.json and index.html.",
)  # fmt: skip
@click.pass_context
def overhead(
    context: click.Context,
    quick: bool,
    study: str,
    servers: tuple[str, ...],
    workers: int,
    remote: bool,
    host: str,
    out: Path,
    apps: tuple[str, ...],
    requests: tuple[Path, ...],
    validate: bool,
    resume: bool,
) -> None:
    """Measure what the framework costs: in process, and served under Locust's load.

    \b
    wsgi-core overhead --quick
    wsgi-core overhead --apps mine=my.wsgi:app other="my.new:create_app()" --request predict.http
    wsgi-core overhead --validate
    """
    if context.invoked_subcommand:
        return
    _check_usage(apps, requests, validate, resume)
    _need(NEEDED_FOR_APPS if apps else NEEDED)
    if remote and not workers:
        raise click.UsageError("--remote needs --workers: how many are to be waited for")
    if apps:
        sys.exit(_measure_apps(apps, requests, quick, out))
    if validate:
        from loadtests.commands import measure_validation

        sys.exit(measure_validation(quick, out, resume))
    sys.exit(_measure(study, quick, out, servers, (workers, remote, host), resume))


def _check_usage(apps: tuple[str, ...], requests: tuple[Path, ...], validate: bool, resume: bool) -> None:
    if requests and not apps:
        raise click.UsageError("--request goes with --apps: which applications are to be asked?")
    if apps and validate:
        raise click.UsageError("--apps and --validate are two measurements: one at a time")
    if apps and resume:
        raise click.UsageError("--resume is for studies and --validate: a run of --apps is short, start it again")


def _need(names: tuple[str, ...]) -> None:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise click.UsageError(f"not installed: {', '.join(missing)}. Install them with: {install_command('overhead')}")


def _measure_apps(apps: tuple[str, ...], requests: tuple[Path, ...], quick: bool, out: Path) -> int:
    from loadtests.commands import INTERRUPTED, measure_apps
    from loadtests.instrument.app_loader import AppError
    from loadtests.report.files import write
    from loadtests.report.terminal import console
    from loadtests.request_file import RequestFileError

    try:
        code = measure_apps(apps, requests, quick, out)
    except (AppError, RequestFileError) as error:
        raise click.UsageError(str(error)) from error
    if code in (0, INTERRUPTED) and (out / "results.json").exists():
        write(console(), out / "results.json")
    return code


def _measure(
    study: str, quick: bool, out: Path, servers: tuple[str, ...], spread: tuple[int, bool, str], resume: bool
) -> int:
    from loadtests.commands import INTERRUPTED, finish, resumable
    from loadtests.instrument import progress
    from loadtests.load.served import Spread
    from loadtests.report import terminal
    from loadtests.report.files import write
    from loadtests.run import Run

    console = terminal.console()
    resumed = resumable(out / "results.json", _command()) if resume else None
    out.mkdir(parents=True, exist_ok=True)
    run = Run(STUDIES[study], quick, _command(), out, servers, Spread(*spread), resumed)
    if run.plan.finished:
        click.echo(f"{run.path} is complete: nothing is left to measure")
        return 0
    planned = progress.duration(run.plan.seconds)
    console.print(f"{run.study.title}: about {planned}. Leave the machine alone meanwhile.", markup=False)
    code = finish(lambda: run.carry_out(console), run.path)
    if code in (0, INTERRUPTED) and run.path.exists():
        write(console, run.path)
    return code


def _command() -> str:
    """The command as it was given, for the result file."""
    return " ".join(["wsgi-core overhead", *_arguments(click.get_current_context())])


def _arguments(context: click.Context) -> Iterator[str]:
    for name, value in context.params.items():
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE and name not in ("out", "resume"):
            yield f"--{name}"
            if value is not True:
                yield ",".join(value) if isinstance(value, tuple) else str(value)


@overhead.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def report(results: Path) -> None:
    """Show a result file again, and write its page anew."""
    from loadtests.instrument.results import ResultError
    from loadtests.report import terminal
    from loadtests.report.files import write

    try:
        write(terminal.console(), results)
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
    from loadtests.instrument.results import ResultError, read
    from loadtests.report import analysis
    from loadtests.report.readme import NoLadder, NoMarkers, write

    try:
        found = read(results)
        write(found, analysis.summarise(found), target, plot)
    except (NoLadder, NoMarkers, ResultError) as error:
        raise click.ClickException(str(error)) from error


@overhead.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--page", "target", type=click.Path(dir_okay=False, path_type=Path), default="docs/where-the-time-goes.md"
)
def where(results: Path, target: Path) -> None:
    """Write the page that says where the time of a request goes, from the results of --study core."""
    from loadtests.instrument.results import ResultError, read
    from loadtests.report import analysis
    from loadtests.report.where import NoPhasesError, render

    try:
        found = read(results)
        text = render(found, analysis.summarise(found))
    except (NoPhasesError, ResultError) as error:
        raise click.ClickException(str(error)) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


@overhead.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--page", "target", type=click.Path(dir_okay=False, path_type=Path), default="loadtests/VALIDATION.md")
def validation(results: Path, target: Path) -> None:
    """Write the page about the proof of the instrument, from the validation.json of --validate."""
    from loadtests.instrument.results import ResultError
    from loadtests.report.validation_page import render
    from loadtests.validate import read

    try:
        text = render(read(results))
    except ResultError as error:
        raise click.ClickException(str(error)) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


@overhead.command()
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--threshold", default=5.0, show_default=True, type=click.FloatRange(min=0),
    help="Percent by which something must have become dearer, with its whole interval.",
)  # fmt: skip
def compare(old: Path, new: Path, threshold: float) -> None:
    """Tell whether NEW is slower than OLD: two result files of one study, or of the same --apps.

    \b
    Exit codes: 0 nothing became dearer; 1 something did; 2 wrong usage;
    3 it cannot be told (too noisy, another processor, nothing in common).
    """
    from loadtests.instrument.results import ResultError, read
    from loadtests.report import comparison, terminal

    try:
        found = comparison.compare(read(old), read(new), threshold / 100)
    except ResultError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(comparison.UNKNOWN)
    terminal.show_comparison(terminal.console(), found)
    sys.exit(found.code)
