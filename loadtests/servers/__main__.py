"""``python -m loadtests.servers``: make the environments, measure, write the result file and the page beside it.

Exit code 1: ours is not below each of the others at p50; 3: one of the others was left out, with its reason.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from loadtests.instrument.progress import Step, run_steps
from loadtests.report.terminal import console, show_table
from loadtests.servers import page
from loadtests.servers.contenders import KEYS, OURS, PACKAGES, Server, Unavailable, by_key
from loadtests.servers.environments import install, is_installed, python_in, versions
from loadtests.servers.study import Size, Study
from wsgi_core.shared.cache import cache_dir

DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "measure"
OUT = (DOCS if DOCS.is_dir() else Path()) / "servers.json"
INSTALL_GUESS = 60.0
NOT_SOONER, LEFT_OUT = 1, 3


@click.command()
@click.option("--starts", default=4, show_default=True, type=click.IntRange(2, 100), help="Starts of all servers.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Rounds after each start.")
@click.option("--seconds", default=0.8, show_default=True, type=click.FloatRange(0.05, 60), help="Of a window.")
@click.option("--rate", default=100.0, show_default=True, type=click.FloatRange(1, 1000), help="Of the open loop.")
@click.option("--server", "keys", multiple=True, type=click.Choice(KEYS), help="Only these beside ours. [default: all]")
@click.option("--python", "given", multiple=True, metavar="NAME=PATH", help="The interpreter for one of the others.")
@click.option("--envs", type=click.Path(path_type=Path), help="Where environments are made. [default: in the cache]")
@click.option("--out", default=OUT, type=click.Path(path_type=Path), help="The result file.")
@click.option("--report", "only_report", is_flag=True, help="Do not measure; write the page from the result file.")
def main(
    starts: int,
    rounds: int,
    seconds: float,
    rate: float,
    keys: tuple[str, ...],
    given: tuple[str, ...],
    envs: Path | None,
    out: Path,
    only_report: bool,
) -> None:
    """Measure the service beside MLServer, LitServe and BentoML."""
    shown = console()
    if not only_report:
        chosen = [by_key(key) for key in KEYS if key == OURS or not keys or key in keys]
        study = Study(chosen, {}, Size(starts, rounds, seconds, rate))
        try:
            _measure(study, _interpreters(given), envs or cache_dir() / "servers", shown)
        except RuntimeError as error:
            raise click.ClickException(str(error)) from error
        out.write_text(json.dumps(study.results, indent=1) + "\n", encoding="utf-8")
    results = json.loads(out.read_text(encoding="utf-8"))
    out.with_suffix(".md").write_text(page.report(results), encoding="utf-8", newline="\n")
    for table in page.tables(results):
        show_table(shown, table)
    for said in page.sentences(results):
        shown.print(said, markup=False)
    sys.exit(NOT_SOONER if not page.is_sooner(results) else LEFT_OUT if results["left_out"] else 0)


def _interpreters(given: tuple[str, ...]) -> dict[str, Path]:
    """The interpreters that the command line names."""
    found = {}
    for text in given:
        key, equals, path = text.partition("=")
        if not equals or key not in PACKAGES:
            raise click.BadParameter(
                f"{text!r} is not one of {', '.join(PACKAGES)}, an = and a path", param_hint="--python"
            )
        found[key] = Path(path).absolute()
    return found


def _measure(study: Study, given: dict[str, Path], envs: Path, shown: Console) -> None:
    began = time.monotonic()
    run_steps([_preparation(study, server, given, envs) for server in study.servers], shown, lambda: None)
    starts = range(study.size.starts)
    run_steps(
        [Step(f"start {number + 1}", study.start_seconds(), partial(study.start, number)) for number in starts],
        shown,
        lambda: None,
    )
    study.results["took_seconds"] = round(time.monotonic() - began, 1)


def _preparation(study: Study, server: Server, given: dict[str, Path], envs: Path) -> Step:
    """The step that finds or makes the interpreter for a server, or leaves the server out."""
    folder = envs / server.package

    def is_there() -> bool:
        return not server.requires or server.package in given or is_installed(server, folder)

    def run() -> None:
        try:
            if not is_there():
                install(server, folder)
            python = given.get(server.package) or (python_in(folder) if server.requires else Path(sys.executable))
            study.results["servers"][server.key] = versions(server, python)
            study.pythons[server.key] = python
        except Unavailable as error:
            study.leave_out(server, str(error))

    return Step(f"the environment for {server.title}", 0.5 if is_there() else INSTALL_GUESS, run)


if __name__ == "__main__":
    main(prog_name="python -m loadtests.servers")
