"""The command group ``wsgi-core deploy``. It has a command for each target, such as ``wsgi-core deploy systemd``."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path, PurePosixPath, PureWindowsPath

import click
from pydantic import ValidationError

from ...shared.files import create_file, replace_file
from ...shared.settings.options import settings_options
from ...shared.settings.sources import ConfigurationError, Loaded, load_settings
from ...shared.settings.variables import SecretGiven
from .escaping import EscapeError
from .options import Deployment, deployment_option
from .targets import TARGETS, Target, next_steps, render


@click.group("deploy", short_help="Write files for systemd, nginx, Docker, Kubernetes, IIS, ...")
def deploy_command() -> None:
    """Write files for systemd, nginx, Docker and other programs.

    Each command below also takes the options of `wsgi-core serve`. The server that the files start uses these settings.
    WSGI_CORE_* variables in the environment of this command are ignored. Exit code 1: a file cannot be written, or
    exists with other content; 2: an option is invalid.
    """


def _add(target: Target) -> None:
    def command(out: Path | None, show: bool, force: bool, config: Path | None, **options: object) -> None:
        deployment, loaded = _read(target, config, options)
        try:
            files = render(target, deployment, loaded)
        except (EscapeError, SecretGiven) as error:
            raise click.UsageError(str(error)) from error
        if show:
            _print(files)
            return
        folder = out or _default_folder(target)
        _write(folder, files, force)
        click.echo("\n" + next_steps(target, deployment, loaded, str(folder)), nl=False)

    settings_options(command)
    for name in reversed(target.options):
        deployment_option(name)(command)
    click.option("--force", is_flag=True, help="Overwrite existing files.")(command)
    click.option("--print", "show", is_flag=True, help="Print the files instead of writing them.")(command)
    click.option(
        "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
        help=f"The folder to write into. [default: deploy/{target.name}]",
    )(command)  # fmt: skip
    deploy_command.command(target.name, help=target.help)(command)


def _default_folder(target: Target) -> Path:
    """Return the path `deploy/<target>`, relative to the current folder.

    APPSEC: raises click.ClickException if `deploy` or its subfolder is a symbolic link. If another user created the
    link, that user would choose where the files are written.
    """
    folder = Path("deploy") / target.name
    for path in (folder.parent, folder):
        if path.is_symlink():
            raise click.ClickException(f"{path} is a symbolic link; name the folder with --out")
    return folder


def _read(target: Target, config: Path | None, options: dict[str, object]) -> tuple[Deployment, Loaded]:
    """Make the `Deployment` and the settings of the server from the options of a command.

    Raises click.UsageError if a value is invalid.
    """
    own = {name: options.pop(name) for name in target.options}
    try:
        deployment = Deployment.model_validate({name: value for name, value in own.items() if value is not None})
    except ValidationError as error:
        raise click.UsageError(_problem(error)) from error
    for name, value in target.defaults.items():
        options[name] = value if options.get(name) is None else options[name]
    if target.has_files:  # The server starts in another folder, where a relative path would not be found.
        options.update({name: _absolute(options[name]) for name in ("models", "webhook_results", "job_store")})
    try:
        # The environment variables of this process are ignored, because the server will have other variables.
        return deployment, load_settings(options, config, {})
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error


def _problem(error: ValidationError) -> str:
    """Return a message about the first error: the option, the expected value and the actual value."""
    first = error.errors(include_url=False)[0]
    flag = str(first["loc"][0]).replace("_", "-")
    message = first["msg"].removeprefix("Value error, ")
    return f"--{flag}: {message[:1].lower()}{message[1:]}, not {first['input']!r:.100}"


def _absolute(path: object) -> object:
    """Return a relative path as an absolute path. Return None, a URL and an absolute path unchanged.

    A path that is absolute on Linux or on Windows counts as absolute, because the server may run on the other system.
    """
    if (
        path is None
        or "://" in str(path)
        or PurePosixPath(str(path)).is_absolute()
        or PureWindowsPath(str(path)).is_absolute()
    ):
        return path
    return str(Path(str(path)).absolute())


def _print(files: t.Mapping[str, str]) -> None:
    for number, (name, text) in enumerate(files.items()):
        if len(files) > 1:
            click.echo(f"{chr(10) if number else ''}# {name}")
        click.echo(text, nl=False)


def _write(folder: Path, files: t.Mapping[str, str], force: bool) -> None:
    """Write the files into `folder`. `files` maps a file's name to its text.

    Raises click.ClickException if a file cannot be written. If `force` is false, also raises click.ClickException if a
    file exists with other content, or if it is a symbolic link. In this case, no file is written.
    """
    contents = {folder / name: text.encode() for name, text in files.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        existing = {path for path in contents if os.path.lexists(path)}
        for path in existing:
            if not force and (path.is_symlink() or path.read_bytes() != contents[path]):
                raise click.ClickException(f"{path} exists and differs; use --force to overwrite it")
        for path, content in contents.items():
            (replace_file if path in existing else create_file)(path, content)
            click.echo(f"wrote {path}")
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


for _target in TARGETS:
    _add(_target)
