"""The servers that are compared: how each is started, and in which forms it can be asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtests.instrument.exchanges import Row

HERE = Path(__file__).resolve().parent
# The forms of a request: a row as an object of its features, and the tensor of the Open Inference Protocol.
ROW, TENSOR = "row", "tensor"
PATHS = {ROW: "/predict", TENSOR: "/v2/models/churn/infer"}


class Unavailable(Exception):
    """A server can't be measured; the text is the reason."""


@dataclass(frozen=True)
class Server:
    """How to start a server with Python's `arguments`, in which {port}, {second_port} and {third_port} are free ports.

    `ready` answers 200 once it serves. `requires` is what pip is asked for (nothing: it is part of this project),
    `built_on` whose versions are told.
    """

    key: str
    title: str
    arguments: tuple[str, ...]
    forms: tuple[str, ...]
    ready: str
    requires: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    built_on: tuple[str, ...] = ("starlette", "pydantic", "uvicorn", "uvloop", "httptools")

    @property
    def package(self) -> str:
        """The name of the package that is the server; empty for a part of this project."""
        return self.requires[0].partition(">")[0] if self.requires else ""


def _mlserver(key: str, title: str, workers: int) -> Server:
    """MLServer with its inference in so many processes beside the one that answers; 0: in that one."""
    return Server(
        key,
        title,
        ("-c", "from mlserver.cli import main; main()", "start", str(HERE)),
        (TENSOR,),
        "/v2/models/churn/ready",
        # Its workers do not start with a later uvloop, which makes no event loop by itself.
        ("mlserver>=1.7,<2", "uvloop<0.22"),
        {
            "MLSERVER_HOST": "127.0.0.1",
            "MLSERVER_HTTP_PORT": "{port}",
            "MLSERVER_GRPC_PORT": "{second_port}",
            "MLSERVER_METRICS_PORT": "{third_port}",
            "MLSERVER_DEBUG": "false",
            "MLSERVER_PARALLEL_WORKERS": str(workers),
            "MLSERVER_MODEL_NAME": "churn",
            "MLSERVER_MODEL_IMPLEMENTATION": "with_mlserver.Churn",
        },
    )


OURS = "wsgi_core"
_SERVE = ("-m", "wsgi_core", "serve", "--host=127.0.0.1", "--port={port}")
SERVERS = (
    Server(OURS, "wsgi_core", _SERVE, (ROW, TENSOR), "/readyz", built_on=("wsgi-core", "werkzeug", "waitress")),
    Server(
        "flask",
        "Flask twin",
        (*_SERVE, "--framework=flask"),
        (ROW, TENSOR),
        "/readyz",
        built_on=("flask", "werkzeug", "waitress"),
    ),
    _mlserver("mlserver", "MLServer", workers=1),
    _mlserver("mlserver-0", "MLServer without a worker", workers=0),
    Server(
        "litserve", "LitServe", (str(HERE / "with_litserve.py"), "{port}"), (ROW,), "/health", ("litserve>=0.2,<0.3",)
    ),
    Server(
        "bentoml",
        "BentoML",
        ("-m", "bentoml", "serve", "with_bentoml:Churn", f"--working-dir={HERE}", "--host=127.0.0.1", "--port={port}"),
        (ROW,),
        "/readyz",
        ("bentoml>=1.4,<2",),
        {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": "{folder}"},
    ),
)
KEYS = tuple(server.key for server in SERVERS)
PACKAGES = tuple(dict.fromkeys(server.package for server in SERVERS if server.requires))


def by_key(key: str) -> Server:
    """The server of that key."""
    return SERVERS[KEYS.index(key)]


def message(form: str, row: Row) -> str:
    """The whole HTTP request about a row."""
    body = payload(form, row)
    head = f"POST {PATHS[form]} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}"


def payload(form: str, row: Row) -> str:
    """A row as the JSON of a request."""
    values = list(row.values())
    tensor = {"name": "features", "shape": [1, len(values)], "datatype": "FP32", "data": values}
    found: Any = row if form == ROW else {"inputs": [tensor], "outputs": [{"name": "probabilities"}]}
    return json.dumps(found)


def probability(form: str, answer: bytes) -> float:
    """The probability in an answer's body. Raises `Unavailable` if there is none."""
    try:
        found = json.loads(answer)
        return float(found["churn_probability"] if form == ROW else found["outputs"][0]["data"][-1])
    except (ValueError, LookupError, TypeError) as error:
        raise Unavailable(f"no probability in the answer {answer[:200]!r}") from error
