"""The options of ``wsgi-core deploy`` that are not settings of the server, such as ``--image``."""

from __future__ import annotations

import re
import sys
import typing as t

import click
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator


def _matching(pattern: str, fits: str) -> AfterValidator:
    """Return a validator that raises ValueError("should be {fits}") if a text does not match `pattern` completely."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(f"should be {fits}")
        return value

    return AfterValidator(check)


Label = t.Annotated[
    str,
    _matching(
        r"[a-z]([a-z0-9-]{0,48}[a-z0-9])?", "at most 50 lower-case letters, digits and hyphens, beginning with a letter"
    ),
]
"""A name that systemd, Windows and Kubernetes accept for a service (RFC 1035, section 2.3.1)."""

Image = t.Annotated[
    str,
    _matching(
        r"[a-z0-9][a-z0-9._/:-]*(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{64})?",
        "an image such as registry.example.org/name:1.0",
    ),
]
Server = t.Annotated[
    str,
    _matching(r"_|(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", "a host name, *.example.org, or _ for every name"),
]
User = t.Annotated[
    str, _matching(r"[a-z_][a-z0-9_-]{0,30}", "a user name: at most 31 lower-case letters, digits, _ and -")
]
CPU = t.Annotated[
    str, _matching(r"[1-9][0-9]*(m|\.[0-9]{1,3})?|0\.[0-9]{0,2}[1-9]", "a number of CPUs such as 2, 0.5 or 500m")
]
Memory = t.Annotated[str, _matching(r"[1-9][0-9]*(\.[0-9]+)?(k|M|G|Ki|Mi|Gi)?", "a size such as 512Mi or 2Gi")]
Path = t.Annotated[str, _matching(r".+", "a path")]


class Deployment(BaseModel):
    """The options of ``wsgi-core deploy`` that are not settings of the server. Each target uses some of them.

    Raises pydantic.ValidationError if a value is invalid.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Label = Field(default="wsgi-core", description="The name of the service.")
    python: Path = Field(
        default=sys.executable,
        description="The Python executable on the target machine; wsgi_core must be installed there.",
    )
    user: User = Field(default="wsgi-core", description="The user that runs the server.")
    servers: int = Field(
        default=2,
        ge=1,
        le=64,
        description="The number of servers; the first uses --port, and the others the next ports.",
    )
    server_name: Server = Field(default="_", description="The host name that nginx accepts; _: every name.")
    listen: int = Field(default=80, ge=1, le=65535, description="The port on which nginx listens.")
    image: Image = Field(default="wsgi-core:latest", description="The container image.")
    python_version: t.Annotated[str, Field(pattern=r"^3\.1[1-9]$")] = Field(
        default="3.12", description="The version of Python in the image."
    )
    min_replicas: int = Field(default=2, ge=1, le=1000, description="The minimum number of pods.")
    max_replicas: int = Field(default=10, ge=1, le=1000, description="The maximum number of pods.")
    cpu: CPU = Field(default="500m", description="The CPU request of a pod.")
    memory: Memory = Field(default="512Mi", description="The memory request and the memory limit of a pod.")

    @field_validator("max_replicas")
    @classmethod
    def _check_replicas(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("min_replicas", value):
            raise ValueError("should not be less than --min-replicas")
        return value


def deployment_option(name: str) -> t.Callable[[t.Callable[..., t.Any]], t.Callable[..., t.Any]]:
    """Return a decorator that adds the option for the field `name` of `Deployment` to a click command."""
    field = Deployment.model_fields[name]
    metavar = "INTEGER" if field.annotation is int else "TEXT"
    default = "this Python" if name == "python" else field.default
    return click.option(
        f"--{name.replace('_', '-')}", name, metavar=metavar, help=f"{field.description} [default: {default}]"
    )
