"""The targets of ``wsgi-core deploy``, such as systemd and nginx, and the functions that make their files."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from jinja2 import Environment, PackageLoader, StrictUndefined

from ...inference.settings import path_text
from ...shared.settings import Settings
from ...shared.settings.addresses import bracketed, local_host
from ...shared.settings.schema import SERVICES
from ...shared.settings.sources import Loaded, masked_values, option
from ...shared.settings.variables import as_variables
from . import escaping
from .escaping import Escape, EscapeError, Ready, checked
from .options import Deployment

# The folders that systemd's setting ProtectHome= hides from a service.
_HOMES = ("/home/", "/root/", "/run/user/")

# Seconds that a service manager waits for a stop, in addition to the server's own time limit.
_GRACE = 5


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment target, such as systemd or nginx.

    files: the template and the name of each file; `{name}` in a file's name stands for the option ``--name``
    options: the fields of `Deployment` that are options of the target's command
    escape: the function that escapes values for the file format of the target
    defaults: server settings that have another default for this target
    has_files: whether the server can read the settings file; if not, the settings are written into the target's files
    """

    name: str
    help: str
    files: t.Mapping[str, str]
    options: tuple[str, ...]
    escape: Escape
    defaults: t.Mapping[str, str] = field(default_factory=dict)
    has_files: bool = True


TARGETS = (
    Target(
        "systemd", "Units for systemd: one server, or a server on each port.",
        {"service": "{name}.service", "instance": "{name}@.service"}, ("name", "python", "user"), escaping.systemd,
    ),
    Target(
        "nginx", "A configuration for nginx, in front of several servers.",
        {"nginx.conf": "{name}.conf"}, ("name", "servers", "server_name", "listen"), escaping.nginx,
    ),
    Target(
        "gunicorn", "A configuration for gunicorn, instead of `serve`.",
        {"gunicorn.conf": "gunicorn.conf.py"}, (), escaping.python, {"processes": "2"},
    ),
    Target(
        "granian", "A program that starts granian, instead of `serve`.",
        {"serve": "granian_serve.py"}, (), escaping.python, {"processes": "2"},
    ),
    Target(
        "docker", "A Dockerfile with a non-root user and a health check.",
        {"Dockerfile": "Dockerfile", "dockerignore": ".dockerignore"}, ("image", "python_version"),
        escaping.dockerfile, {"host": "0.0.0.0"}, has_files=False,
    ),
    Target(
        "kubernetes", "Kubernetes manifests with probes and autoscaling.",
        {"kubernetes.yaml": "{name}.yaml"}, ("name", "image", "min_replicas", "max_replicas", "cpu", "memory"),
        escaping.kubernetes, {"host": "0.0.0.0", "stop_pause": "10"}, has_files=False,
    ),
    Target(
        "kserve", "An InferenceService for KServe (V2 protocol).",
        {"kserve.yaml": "{name}.yaml"}, ("name", "image", "min_replicas", "max_replicas", "cpu", "memory"),
        escaping.kubernetes, {"host": "0.0.0.0", "stop_pause": "10"}, has_files=False,
    ),
    Target(
        "iis", "A web.config for IIS with HttpPlatformHandler.",
        {"web.config": "web.config"}, ("python",), escaping.xml,
    ),
    Target(
        "winsw", "The XML for WinSW, which runs a Windows service.",
        {"winsw.xml": "{name}.xml"}, ("name", "python"), escaping.xml,
    ),
)  # fmt: skip
"""One target for each command of ``wsgi-core deploy``."""


def render(target: Target, deployment: Deployment, loaded: Loaded) -> dict[str, str]:
    """Return the text of each file of `target`, keyed by the file's name.

    Raises EscapeError if a value cannot be used for the target. Raises SecretGiven if a secret would be written into a
    file.
    """
    environment = _environment(target.escape)
    environment.filters.update(command=escaping.systemd_command, words=escaping.json_words, raw=Ready, plain=_plain)
    values = _values(target, deployment, loaded)
    _refuse_line_breaks(deployment, loaded)
    _refuse_ports(target, loaded.settings.port, deployment.servers)
    _refuse_models(target, loaded.settings.models)
    _refuse_app(target, loaded.settings)
    return {
        file.format(name=deployment.name): environment.get_template(f"{target.name}/{template}").render(values)
        for template, file in target.files.items()
    }


def _refuse_line_breaks(deployment: Deployment, loaded: Loaded) -> None:
    """Raise EscapeError if `checked` refuses the value of an option or a setting, for example because of a line break.

    The message names the option or the setting.
    """
    values = masked_values(loaded.settings)
    named = {
        source if source.startswith("--") else f"{source}: {name}": values[name]
        for name, source in loaded.sources.items()
    }
    options = {option(name): value for name, value in deployment.model_dump().items()}
    for place, value in {**options, **named, "--config": str(loaded.file)}.items():
        for part in value if isinstance(value, list) else [value]:
            try:
                checked(part)
            except EscapeError as error:
                raise EscapeError(f"{place}: {error}") from None


def _plain(value: object) -> Ready:
    """Return a value unchanged, for a file format that has no escapes.

    Raises EscapeError if `checked` refuses the value.
    """
    return Ready(checked(value))


def _refuse_ports(target: Target, first: int, servers: int) -> None:
    """Raise EscapeError if a port cannot be used for the target.

    `first` is the port of the first server. If the files need a fixed port, the port must not be 0. For nginx, each
    further server has the next port, and the last port must be at most 65535.
    """
    if first == 0 and target.name in ("nginx", "docker", "kubernetes", "kserve"):
        raise EscapeError("--port 0: the files need a fixed port; give one from 1 to 65535")
    if target.name == "nginx" and first + servers - 1 > 65535:
        raise EscapeError(f"--port {first}: with {servers} servers, the last port is above 65535; give a lower port")


def _refuse_models(target: Target, models: Path | None) -> None:
    """Raise EscapeError if the path of `--models` cannot be used for the target.

    For docker, the path must be relative, and must stay below the folder in which the image is built. It must have no
    character that Docker interprets, such as * or $. For kubernetes and kserve, the path must be absolute, because it
    is a path in the image.
    """
    if models is None:
        return
    absolute = PurePosixPath(models.as_posix()).is_absolute()
    if target.name in ("kubernetes", "kserve") and not absolute:
        raise EscapeError(f"--models {models}: give the path inside the image, such as /models")
    if target.name != "docker":
        return
    if absolute or not models.parts or ".." in models.parts or ":" in str(models):
        raise EscapeError(
            f"--models {models}: give a path below the folder in which the image is built, relative to it"
        )
    if set("*?[]!#$\\") & set(models.as_posix()):  # Docker would copy other files into the image
        raise EscapeError(f"--models {models}: Docker would read *, ?, [, ], !, #, $ or \\ as a pattern or a variable")


def _refuse_app(target: Target, settings: Settings) -> None:
    """Raise EscapeError if the target is granian, and granian cannot load the application that `--app` names.

    Granian loads `module:name`. It calls a factory only without arguments.
    """
    name = _without_call(settings)
    if target.name == "granian" and (":" not in name or "(" in name):
        raise EscapeError(f"--app {settings.app}: granian needs module:name, or module:factory() without arguments")


def next_steps(target: Target, deployment: Deployment, loaded: Loaded, folder: str) -> str:
    """Return a text that tells the user how to use the files in `folder`."""
    values = _values(target, deployment, loaded)
    return _environment(str).get_template(f"{target.name}/next.txt").render(values, folder=folder)


def _environment(escape: Escape) -> Environment:
    """Return a Jinja environment for the templates.

    Each value of an expression is passed to `checked`, and then to `escape`. A value of the type `Ready` is written
    unchanged.
    """

    def written(value: t.Any) -> str:
        return value if isinstance(value, Ready) else escape(checked(value))

    return Environment(
        loader=PackageLoader("wsgi_core.commands.deploy"), undefined=StrictUndefined, autoescape=False,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, finalize=written,
    )  # fmt: skip


def _values(target: Target, deployment: Deployment, loaded: Loaded) -> dict[str, t.Any]:
    """Return the variables of the templates: the options, the settings, and values that are computed from them."""
    settings = loaded.settings
    stop = math.ceil(settings.stop_pause + settings.stop_timeout)
    # Longer than the request timeout: a client should get the timeout error of the server, not that of the proxy.
    read = math.ceil(settings.request_timeout) + 5
    paths = [deployment.python, path_text(settings.models) if settings.models else "", str(loaded.file or "")]
    return {
        **deployment.model_dump(), "settings": settings, "stop_seconds": stop, "grace_seconds": stop + _GRACE,
        "read_seconds": read, "read_minutes": math.ceil(read / 60),
        "idle_seconds": max(1, int(settings.idle_timeout * 0.8)),
        "tmp_size": settings.max_body_disk + (64 << 20),
        "stop_pause": f"{settings.stop_pause:.10g}",
        "backend": local_host(settings.host), "bind": f"{bracketed(settings.host)}:{settings.port}",
        "wsgi_app": settings.app or f"{SERVICES[settings.framework]}:create_app()",
        "target": _without_call(settings), "is_factory": settings.app is None or settings.app.endswith("()"),
        "in_home": any(p.startswith(_HOMES) for p in paths),
        "paths": [path for path in paths if path], "writable": _writable(settings),
        "health_check": _health_check(settings), "health_host": _health_host(settings),
        "variables": as_variables(loaded, target.has_files),
    }  # fmt: skip


def _writable(settings: Settings) -> list[str]:
    """Return the folders of the files that the server writes: `webhook_results` and `job_store`.

    A setting that is None is skipped, and so is a job store that is a URL.
    """
    store = settings.job_store if settings.job_store and "://" not in settings.job_store else None
    files = [file for file in (settings.webhook_results, store and Path(store)) if file]
    return list(dict.fromkeys(file.parent.as_posix() for file in files))


def _without_call(settings: Settings) -> str:
    """Return the application's name for granian, such as `module:create_app`, without a final ``()``."""
    return settings.app.removesuffix("()") if settings.app else f"{SERVICES[settings.framework]}:create_app"


def _health_host(settings: Settings) -> str:
    """Return the Host header for health checks, or an empty string if `trusted_hosts` is not set."""
    return settings.trusted_hosts[0].lstrip(".") if settings.trusted_hosts else ""


def _health_check(settings: Settings) -> str:
    """Return a Python program in one line, which fails unless GET /healthz succeeds.

    Python is used, because slim images have no curl.
    """
    url = f"http://{local_host(settings.host)}:{settings.port}/healthz"
    headers = {"Host": _health_host(settings)} if settings.trusted_hosts else {}
    return f"import urllib.request as u; u.urlopen(u.Request({url!r}, headers={headers!r}), timeout=2)"
