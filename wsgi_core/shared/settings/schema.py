"""The schema of the settings: names, types, ranges and defaults.

Each setting is a field. The code that reads a setting does not know its source: a file, an environment variable, or a
command's option.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, SecretStr

from ...inference.settings import RuntimeSettings
from . import names


def _check_header_secret(secret: SecretStr) -> SecretStr:
    names.header_value(secret.get_secret_value())
    return secret


ListenHost = Annotated[str, AfterValidator(names.listen_host)]
HostName = Annotated[str, AfterValidator(names.trusted_host)]
ProxyAddress = Annotated[str, AfterValidator(names.trusted_proxy)]
Origin = Annotated[str, AfterValidator(names.cors_origin)]
# A source name is part of a path. A path segment `.` or `..` never reaches the server, because clients resolve it.
SourceName = Annotated[str, Field(pattern=r"^\.{0,2}[A-Za-z0-9_-][A-Za-z0-9._-]*$")]
HeaderSecret = Annotated[SecretStr, AfterValidator(_check_header_secret)]
ModelName = Annotated[str, Field(min_length=1)]
Secret = Annotated[SecretStr, Field(min_length=16)]
JobStorePlace = Annotated[str, Field(pattern=r"^(rediss?://[^\s/?#@]+(/\d*)?|[^:]*|[A-Za-z]:[^:]*)$", min_length=1)]
EndpointURL = Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]

OwnPath = Annotated[str, Field(pattern=r"^/[!-~]*$")]

# The import name of the service's package for each framework. It is a string, so that the core never imports Flask.
SERVICES = {"wsgi_core": "wsgi_core.service", "flask": "flask_equiv.service"}


class Settings(RuntimeSettings):
    """The settings of the service and its server. Raises pydantic.ValidationError if a value is not valid."""

    # pydantic before 2.10 warns about a field that begins with `model_`, such as `model_control`.
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
    _local_names: bool = PrivateAttr(default=False)

    # The models. The fields of RuntimeSettings configure how each model is run.
    models: Path | None = Field(default=None, description="A model repository; by default the models of wsgi_core.")
    model_settings: dict[ModelName, RuntimeSettings] = Field(
        default={}, description="For single models, by name: other execution_providers, threads, options ..."
    )

    # The address, the framework, and the processes.
    host: ListenHost = Field(default="127.0.0.1", min_length=1, description="The address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="The port to listen on; 0: any free one.")
    monitor_port: int | None = Field(
        default=None, ge=0, le=65535,
        description="A second port, on which only health and metrics are answered, whatever happens on the first.",
    )  # fmt: skip
    framework: t.Literal["wsgi_core", "flask"] = Field(
        default="wsgi_core", description="Whose lifecycle the requests pass through; the answers are the same."
    )

    app: str | None = Field(
        default=None, min_length=1,
        description="Any WSGI application instead of the service: module:name, or module:factory(args).",
    )  # fmt: skip
    processes: Annotated[int, Field(ge=1, le=256)] | t.Literal["auto"] = Field(
        default=1, description="Server processes that share the port; auto: one for each CPU core."
    )
    health_path: OwnPath | None = Field(
        default=None, description="With an application of your own: a path that the server answers for health checks."
    )
    metrics_path: OwnPath | None = Field(
        default=None, description="With an application of your own: a path that the server answers for Prometheus."
    )

    # Logs.
    access_log: bool = Field(default=False, description="A line per request on stderr.")
    log_format: t.Literal["text", "json"] = Field(default="text", description="How a line of the log is written.")

    # Admission. A setting with an `answer` is a limit. The `answer` is the response to a client that exceeds the limit.
    threads: int = Field(
        default=max(2, min(4, os.cpu_count() or 1)), ge=1, le=256,
        description="Requests answered at the same time. By default one for each CPU core, from 2 to 4. More threads"
        " wait for the GIL, unless the application waits for something else, such as a database.",
    )  # fmt: skip
    max_waiting: int = Field(
        default=10_000, ge=0, le=1_000_000,
        description="Requests that may wait for a thread, whatever `max_wait` says.",
        json_schema_extra={"answer": "503, Retry-After"},
    )  # fmt: skip
    max_wait: float = Field(
        default=2, gt=0, le=86_400,
        description="Seconds that a request may wait for a thread, estimated from how fast responses leave.",
        json_schema_extra={"answer": "503, Retry-After"},
    )  # fmt: skip
    max_per_client: int = Field(
        default=0, ge=0, description="Requests of one address, running or waiting; 0: no such limit.",
        json_schema_extra={"answer": "429, Retry-After"},
    )  # fmt: skip
    retry_after: int = Field(
        default=1, ge=0, le=86_400, description="Seconds in the Retry-After of such a response, at least."
    )
    request_timeout: float = Field(
        default=30, gt=0, le=86_400,
        description="Seconds that a request may take until its answer starts; a client can ask for less in the header"
        " X-Request-Timeout.",
        json_schema_extra={"answer": "504; 503 if it only waited"},
    )  # fmt: skip

    # Limits of connections, requests and responses.
    # A body of this size has room for 10,000 rows of a table.
    max_content_length: int = Field(
        default=4 << 20, ge=1, description="Bytes that a request's body may have at most.",
        json_schema_extra={"answer": "413"},
    )  # fmt: skip
    max_header_bytes: int = Field(
        default=16 << 10, ge=256, le=256 << 10, description="Bytes of a request's line and headers.",
        json_schema_extra={"answer": "431"},
    )  # fmt: skip
    max_headers: int = Field(
        default=100, ge=1, le=10_000, description="Lines of headers in a request.", json_schema_extra={"answer": "431"}
    )
    max_connections: int = Field(
        default=1000, ge=1, le=100_000,
        description="Open connections (on Windows at most 400). Up to a quarter more are accepted while idle ones"
        " and the oldest unfinished close.",
        json_schema_extra={"answer": "408 or closed; waits to be accepted"},
    )  # fmt: skip
    max_connections_per_client: int = Field(
        default=0, ge=0, description="Open connections of one address, a trusted proxy excepted; 0: no such limit.",
        json_schema_extra={"answer": "connection closed"},
    )  # fmt: skip
    max_body_disk: int = Field(
        default=1 << 30, ge=0, description="Bytes that all bodies together may have in temporary files.",
        json_schema_extra={"answer": "503"},
    )  # fmt: skip
    header_timeout: float = Field(
        default=10, gt=0, description="Seconds from a request's first byte to the end of its headers.",
        json_schema_extra={"answer": "408"},
    )  # fmt: skip
    body_timeout: float = Field(
        default=60, gt=0, description="Seconds from a request's first byte to the end of its body.",
        json_schema_extra={"answer": "408"},
    )  # fmt: skip
    send_timeout: float = Field(
        default=30, gt=0, description="Seconds in which a client takes nothing of its response.",
        json_schema_extra={"answer": "connection closed"},
    )  # fmt: skip
    min_send_rate: int = Field(
        default=1000, ge=0,
        description="Bytes a second that a client takes at least of its response, after `send_timeout`.",
        json_schema_extra={"answer": "connection closed"},
    )  # fmt: skip
    response_timeout: float = Field(
        default=600, gt=0, description="Seconds from the first byte of a response to its last.",
        json_schema_extra={"answer": "connection closed"},
    )  # fmt: skip
    max_unsent: int = Field(
        default=64 << 20, ge=1 << 20,
        description="Bytes of all responses that clients have not taken yet. Beyond, requests wait, and connections"
        " that take nothing are closed.",
        json_schema_extra={"answer": "waits for a thread; connection closed"},
    )  # fmt: skip
    idle_timeout: float = Field(
        default=75, gt=0, description="Seconds that a connection may stay open without a request.",
        json_schema_extra={"answer": "connection closed"},
    )  # fmt: skip

    # Shutdown.
    stop_pause: float = Field(
        default=0, ge=0, description="Seconds from not being ready to taking no more connections, for load balancers."
    )
    stop_timeout: float = Field(
        default=30, gt=0, description="Seconds in which a stop must end, after the pause.",
        json_schema_extra={"answer": "connection closed, exit code 1"},
    )  # fmt: skip

    # Access.
    trusted_hosts: tuple[HostName, ...] = Field(
        default=(),
        description="Host names that are answered (.example.org: and all below it). By default every name; on"
        " 127.0.0.1 only local ones.",
        json_schema_extra={"answer": "400"},
    )
    any_host: bool = Field(default=False, description="Answer for every name on a loopback address, too.")
    check_monitoring_host: bool = Field(
        default=False, description="Hold health, readiness and metrics to trusted_hosts, too."
    )
    trusted_proxy: ProxyAddress | None = Field(
        default=None,
        description="Addresses or networks (10.0.0.0/8), with commas between, of the proxies whose X-Forwarded-*"
        " headers are believed; *: all.",
    )
    trusted_proxy_count: int = Field(default=1, ge=1, le=16, description="How many proxies stand in a row there.")
    api_key: HeaderSecret | None = Field(
        default=None, min_length=16, json_schema_extra={"answer": "401"},
        description="What clients must send as X-API-Key, or as Authorization: Bearer, for everything but health.",
    )  # fmt: skip
    cors_origins: tuple[Origin, ...] = Field(
        default=(), description="Origins whose pages may call the service (https://app.example.org), * for all of them."
    )

    model_control: bool = Field(
        default=False, description="Clients may load and unload models, by POST /v2/repository/models/<name>/load.",
        json_schema_extra={"answer": "403"},
    )  # fmt: skip

    # Settings of single routes.
    stream_max_content_length: int = Field(
        default=256 << 20, ge=1, description="Bytes that the body of /predict/stream may have at most.",
        json_schema_extra={"answer": "413"},
    )  # fmt: skip
    stream_max_errors: int = Field(
        default=1000, ge=1, description="Wrong lines after which a /predict/stream ends.",
        json_schema_extra={"answer": "an error as the last line"},
    )  # fmt: skip
    stream_timeout: float = Field(
        default=600, gt=0, description="Seconds that a /predict/stream may take.",
        json_schema_extra={"answer": "an error as the last line"},
    )  # fmt: skip
    stream_cpu_timeout: float = Field(
        default=60, gt=0, description="Seconds of CPU time that a /predict/stream may take.",
        json_schema_extra={"answer": "an error as the last line"},
    )  # fmt: skip
    webhook_secrets: dict[SourceName, Secret] = Field(
        default={}, description="For each source of webhooks the secret that it signs with.",
        json_schema_extra={"answer": "401"},
    )  # fmt: skip
    webhook_queue: int = Field(
        default=1000, ge=1, le=1_000_000, description="Accepted webhooks that may wait to be done.",
        json_schema_extra={"answer": "503, Retry-After"},
    )  # fmt: skip
    webhook_results: Path | None = Field(
        default=None, description="A file to which the outcome of each webhook is added, a JSON object a line."
    )
    webhook_tolerance: float = Field(
        default=300, gt=0, le=86_400,
        description="Seconds between the time in a webhook's signature and now, for senders that sign a time.",
        json_schema_extra={"answer": "401"},
    )  # fmt: skip
    job_store: JobStorePlace | None = Field(
        default=None,
        description="Where accepted webhooks wait: an SQLite file, or redis://HOST:PORT/DB. By default: beside"
        " webhook_results.",
    )
    job_store_password: SecretStr | None = Field(default=None, min_length=1, description="The password of that Redis.")
    chat_url: EndpointURL | None = Field(
        default=None,
        description="An OpenAI-compatible endpoint (http://127.0.0.1:11434/v1) that writes the answers of /rag-chat;"
        " by default they are quotes.",
    )
    chat_model: str = Field(default="default", min_length=1, description="The model that is asked for there.")
    chat_key: SecretStr | None = Field(default=None, min_length=1, description="The key for it.")
    chat_timeout: float = Field(
        default=20, gt=0, le=86_400, description="Seconds to wait for it; then the answer is made of quotes."
    )

    def with_loopback_hosts(self) -> Settings:
        """Return the settings for a server. On a loopback address, the server trusts only loopback names by default.

        Otherwise an attacker's page could call the service by DNS rebinding: the attacker's name server resolves the
        page's host name to 127.0.0.1. Behind a trusted proxy, host names are not restricted, because the proxy forwards
        the host names that its clients use.
        """
        if self.trusted_hosts or self.any_host or self.trusted_proxy or not names.is_loopback(self.host):
            return self
        hosts = dict.fromkeys((*names.LOOPBACK_HOSTS, self.host.lower()))
        copy = self.model_copy(update={"trusted_hosts": tuple(hosts)})
        copy._local_names = True
        return copy

    @property
    def local_names(self) -> bool:
        """Whether host names without a dot are trusted, too. Such names cannot be registered in the public DNS."""
        return self._local_names
