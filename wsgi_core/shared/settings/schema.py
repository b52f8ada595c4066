"""The schema of the settings: names, types, ranges and defaults. The module sources.py loads the values."""

from __future__ import annotations

import os
import typing as t
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, SecretStr

from ...inference.settings import PortablePath, RuntimeSettings
from . import names


def _check_header_secret(secret: SecretStr) -> SecretStr:
    names.header_value(secret.get_secret_value())
    return secret


ListenHost = Annotated[str, AfterValidator(names.listen_host)]
HostName = Annotated[str, AfterValidator(names.trusted_host)]
ProxyAddress = Annotated[str, AfterValidator(names.trusted_proxy)]
Origin = Annotated[str, AfterValidator(names.cors_origin)]
# The name is a path segment. The names `.` and `..` are not allowed, because clients resolve such path segments.
SourceName = Annotated[str, Field(pattern=r"^\.{0,2}[A-Za-z0-9_-][A-Za-z0-9._-]*$")]
HeaderSecret = Annotated[SecretStr, AfterValidator(_check_header_secret)]
ModelName = Annotated[str, Field(min_length=1)]
Secret = Annotated[SecretStr, Field(min_length=16)]
JobStorePlace = Annotated[str, Field(pattern=r"^(rediss?://[^\s/?#@]+(/\d*)?|[^:]*|[A-Za-z]:[^:]*)$", min_length=1)]
EndpointURL = Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]

OwnPath = Annotated[str, Field(pattern=r"^/[!-~]*$")]

# The service's package for each framework. The values are strings, so that this module does not import Flask.
SERVICES = {"wsgi_core": "wsgi_core.service", "flask": "flask_equiv.service"}


def limit(response: str, **field: t.Any) -> t.Any:
    """Return the field of a setting that limits clients. `response` says what happens if the limit is exceeded.

    `field` contains the other arguments of pydantic's `Field`.
    """
    return Field(json_schema_extra={"response": response}, **field)


class Settings(RuntimeSettings):
    """The settings of the service and its server. Raises pydantic.ValidationError if a value is not valid."""

    # pydantic before 2.10 warns about a field that begins with `model_`, such as `model_control`.
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
    _local_names: bool = PrivateAttr(default=False)

    # The models. The fields of RuntimeSettings, which this class inherits, configure how the models are run.
    models: PortablePath | None = Field(
        default=None, description="The folder of the model repository; by default the bundled models."
    )
    model_settings: dict[ModelName, RuntimeSettings] = Field(
        default={}, description="Settings for single models, by model name: execution_providers, intra_op_threads ..."
    )

    # The address, the framework, and the processes.
    host: ListenHost = Field(default="127.0.0.1", min_length=1, description="The address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="The port to listen on; 0: any free port.")
    monitor_port: int | None = Field(
        default=None, ge=0, le=65535,
        description="A second port, only for health and metrics. It also responds while the first port is overloaded.",
    )  # fmt: skip
    framework: t.Literal["wsgi_core", "flask"] = Field(
        default="wsgi_core", description="The framework that processes the requests; the responses are the same."
    )

    app: str | None = Field(
        default=None, min_length=1,
        description="A WSGI application to serve instead of the service: module:name, or module:factory(args).",
    )  # fmt: skip
    processes: Annotated[int, Field(ge=1, le=256)] | t.Literal["auto"] = Field(
        default=1, description="Number of server processes that share the port; auto: one for each CPU core."
    )
    health_path: OwnPath | None = Field(
        default=None, description="Only with --app: a path at which the server itself responds to health checks."
    )
    metrics_path: OwnPath | None = Field(
        default=None,
        description="Only with --app: a path at which the server itself responds with metrics for Prometheus.",
    )

    # Logs.
    access_log: bool = Field(default=False, description="Log one line for each request.")
    log_format: t.Literal["text", "json"] = Field(default="text", description="The format of the log.")

    # Admission.
    threads: int = Field(
        default=max(2, min(4, os.cpu_count() or 1)), ge=1, le=256,
        description="Number of worker threads, which process the requests. By default one for each CPU core, from 2 to"
        " 4. More threads are usually slower, because they wait for the GIL. They help if the application waits for a"
        " database or another service.",
    )  # fmt: skip
    max_waiting: int = limit(
        "503, Retry-After", default=10_000, ge=0, le=1_000_000,
        description="Maximum number of requests that wait for a thread.",
    )  # fmt: skip
    max_wait: float = limit(
        "503, Retry-After", default=2, gt=0, le=86_400,
        description="Maximum seconds that a request may wait for a thread. If the expected wait is longer, the request"
        " is refused at once. The expected wait is computed from the recent response rate.",
    )  # fmt: skip
    max_per_client: int = limit(
        "429, Retry-After", default=0, ge=0,
        description="Maximum number of running and waiting requests from one client address (IPv6: one /64 network);"
        " 0: no limit.",
    )  # fmt: skip
    retry_after: int = Field(default=1, ge=0, le=86_400, description="Minimum number of seconds in Retry-After.")
    request_timeout: float = limit(
        "504, or 503 if the request was still waiting", default=30, gt=0, le=86_400,
        description="Maximum seconds that a request waits for a thread and runs models, together, before its response"
        " starts. A client can ask for less with the header X-Request-Timeout.",
    )  # fmt: skip

    # Limits of connections, requests and responses.
    max_content_length: int = limit(
        "413", default=4 << 20, ge=1, description="Maximum size of a request's body, in bytes.",
    )  # fmt: skip
    max_header_bytes: int = limit(
        "431", default=16 << 10, ge=256, le=256 << 10,
        description="Maximum size of a request's first line and headers, in bytes.",
    )  # fmt: skip
    max_headers: int = limit(
        "431", default=100, ge=1, le=10_000, description="Maximum number of headers in a request.",
    )  # fmt: skip
    max_connections: int = limit(
        "408, or connection closed; above 125 %, new connections wait", default=1000, ge=1, le=100_000,
        description="Maximum number of open connections (on Windows at most 400). Up to 25 % more are accepted while"
        " the server closes idle connections and connections with incomplete requests.",
    )  # fmt: skip
    max_connections_per_client: int = limit(
        "connection closed", default=0, ge=0,
        description="Maximum number of open connections from one client address (IPv6: one /64 network);"
        " 0: no limit. Trusted proxies are not limited.",
    )  # fmt: skip
    max_body_disk: int = limit(
        "503", default=1 << 30, ge=0,
        description="Maximum size of all request bodies in temporary files together, in bytes.",
    )  # fmt: skip
    header_timeout: float = limit(
        "408", default=10, gt=0, description="Maximum seconds from a request's first byte to the end of its headers.",
    )  # fmt: skip
    body_timeout: float = limit(
        "408", default=60, gt=0, description="Maximum seconds from a request's first byte to the end of its body.",
    )  # fmt: skip
    send_timeout: float = limit(
        "connection closed", default=30, gt=0,
        description="Maximum seconds in which a client reads nothing of its response.",
    )  # fmt: skip
    min_send_rate: int = limit(
        "connection closed", default=1000, ge=0,
        description="Minimum bytes per second at which a client must read its response. The rate is checked once the"
        " client has been reading for `send_timeout` seconds.",
    )  # fmt: skip
    response_timeout: float = limit(
        "connection closed", default=600, gt=0,
        description="Maximum seconds from the first byte of a response to its last.",
    )  # fmt: skip
    max_unsent: int = limit(
        "requests wait for a thread; connections whose clients read slowest are closed", default=64 << 20, ge=1 << 20,
        description="Maximum size of the responses that clients have not read yet, together, in bytes.",
    )  # fmt: skip
    idle_timeout: float = limit(
        "connection closed", default=75, gt=0,
        description="Maximum seconds that a connection stays open without a request.",
    )  # fmt: skip

    # Shutdown.
    stop_pause: float = Field(
        default=0,
        ge=0,
        description="At a shutdown: seconds in which the readiness check already fails, but connections are still"
        " accepted, so that load balancers notice the shutdown.",
    )
    stop_timeout: float = limit(
        "connection closed, exit code 1", default=30, gt=0,
        description="Maximum seconds that a shutdown takes after `stop_pause`.",
    )  # fmt: skip

    # Access.
    trusted_hosts: tuple[HostName, ...] = limit(
        "400", default=(),
        description="Accepted host names (.example.org: including subdomains). By default all names, but only local"
        " names if the server listens on a loopback address.",
    )  # fmt: skip
    any_host: bool = Field(default=False, description="Accept every host name, even on a loopback address.")
    check_monitoring_host: bool = Field(
        default=False, description="Apply trusted_hosts to health, readiness and metrics, too."
    )
    trusted_proxy: ProxyAddress | None = Field(
        default=None,
        description="Comma-separated addresses or networks (10.0.0.0/8) of proxies whose X-Forwarded-* headers are"
        " trusted; *: any client.",
    )
    trusted_proxy_count: int = Field(
        default=1, ge=1, le=16, description="The number of trusted proxies that a request passes."
    )
    api_key: HeaderSecret | None = limit(
        "401", default=None, min_length=16,
        description="The key that clients must send as X-API-Key or as Authorization: Bearer. Health checks and"
        " webhooks need no key.",
    )  # fmt: skip
    cors_origins: tuple[Origin, ...] = Field(
        default=(), description="Origins whose pages may call the service (https://app.example.org); *: all origins."
    )

    model_control: bool = limit(
        "403", default=False,
        description="Allow clients to load and unload models, by POST /v2/repository/models/<name>/load.",
    )  # fmt: skip

    # Settings of single routes.
    stream_max_content_length: int = limit(
        "413", default=256 << 20, ge=1, description="Maximum size of the body of /predict/stream, in bytes.",
    )  # fmt: skip
    stream_max_errors: int = limit(
        "an error as the last line", default=1000, ge=1,
        description="Maximum number of invalid lines in a request to /predict/stream. At this number, the stream ends.",
    )  # fmt: skip
    stream_timeout: float = limit(
        "an error as the last line", default=600, gt=0,
        description="Maximum seconds that a request to /predict/stream takes.",
    )  # fmt: skip
    stream_cpu_timeout: float = limit(
        "an error as the last line", default=60, gt=0,
        description="Maximum seconds of CPU time that a request to /predict/stream takes.",
    )  # fmt: skip
    webhook_secrets: dict[SourceName, Secret] = limit(
        "401", default={}, description="The signing secret of each webhook source.",
    )  # fmt: skip
    webhook_queue: int = limit(
        "503, Retry-After", default=1000, ge=1, le=1_000_000,
        description="Maximum number of accepted webhooks that are not yet processed. Dead letters do not count.",
    )  # fmt: skip
    webhook_results: PortablePath | None = Field(
        default=None, description="The JSON Lines file to which the outcome of each webhook is appended."
    )
    webhook_tolerance: float = limit(
        "401", default=300, gt=0, le=86_400,
        description="Maximum difference in seconds between now and the signed time of a webhook, if the sender signs a"
        " time.",
    )  # fmt: skip
    job_store: JobStorePlace | None = Field(
        default=None,
        description="The store for accepted webhooks: an SQLite file, or redis://HOST:PORT/DB. By default a file beside"
        " webhook_results, or a file in the user's data folder.",
    )
    job_store_password: SecretStr | None = Field(
        default=None, min_length=1, description="The password of the Redis server in job_store."
    )
    chat_url: EndpointURL | None = Field(
        default=None,
        description="An OpenAI-compatible endpoint (http://127.0.0.1:11434/v1), whose language model writes the answers"
        " of /rag-chat. By default the answers consist of quotes.",
    )
    chat_model: str = Field(default="default", min_length=1, description="The name of the model at chat_url.")
    chat_key: SecretStr | None = Field(default=None, min_length=1, description="The API key for chat_url.")
    chat_timeout: float = Field(
        default=20,
        gt=0,
        le=86_400,
        description="Seconds to wait for chat_url. After this time, the answer consists of quotes.",
    )

    def with_loopback_hosts(self) -> Settings:
        """Return settings with which a server on a loopback address trusts only local host names.

        The local host names are `LOOPBACK_HOSTS`, `host`, and all names without a dot. This prevents DNS rebinding: a
        web page whose host name resolves to 127.0.0.1 could otherwise call the service.

        If `host` is not a loopback address, or if `trusted_hosts`, `any_host` or `trusted_proxy` is set, return the
        settings unchanged.
        """
        if self.trusted_hosts or self.any_host or self.trusted_proxy or not names.is_loopback(self.host):
            return self
        hosts = dict.fromkeys((*names.LOOPBACK_HOSTS, self.host.lower()))
        copy = self.model_copy(update={"trusted_hosts": tuple(hosts)})
        copy._local_names = True
        return copy

    @property
    def local_names(self) -> bool:
        """Whether the server trusts all host names without a dot."""
        return self._local_names
