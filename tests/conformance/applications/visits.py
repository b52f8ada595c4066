"""The applications: how to start each application, and the requests that it gets."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .answers import Answer, ask, steady

PROGRAMS = Path(__file__).with_name("programs")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Place:
    """A running application: its port, interpreter, environment variables and working folder."""

    port: int
    python: Path
    environ: dict[str, str]
    folder: Path


@dataclass(frozen=True)
class Application:
    """An application: its name, what its requests do, the interpreter's arguments, and the function that sends them."""

    name: str
    does: str
    command: Callable[[int], list[str]]
    visit: Callable[[Place], list[Answer]]
    ready: str = "GET /"


class _Page(BaseHTTPRequestHandler):
    """The server of the page that Locust's users request."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"page")

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def a_page() -> Iterator[str]:
    """Run a server with one page, and yield its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def locust_command(port: int) -> list[str]:
    """Return the arguments that start Locust with its web UI."""
    file = str(PROGRAMS / "locustfile.py")
    return ["-m", "locust", "-f", file, "--web-host", "127.0.0.1", "--web-port", str(port), "--csv", "kept"]


def visit_locust(place: Place) -> list[Answer]:
    """Request every page of the UI, start a swarm, request its statistics, stop it, and download its CSV files."""
    port = place.port
    quiet = [ask(port, request, numbers=True) for request in _LOCUST_PAGES]
    with a_page() as url:
        swarm = ask(port, "POST /swarm", f"user_count=2&spawn_rate=2&host={url}".encode(), FORM, numbers=True)
        _until_read(port)
        running = [ask(port, "GET /stats/requests/csv", numbers=True), _keys(ask(port, "GET /stats/requests"))]
        running += [ask(port, request, numbers=True) for request in _LOCUST_FILES]
    kept = sorted(file.name for file in place.folder.glob("kept*.csv"))
    files = Answer("the CSV files that were written", 0, (), " ".join(kept))
    return [*quiet, swarm, *running, files]


_LOCUST_PAGES = (
    "GET /", "HEAD /", "OPTIONS /", "GET /tasks", "GET /logs", "GET /exceptions", "GET /stats/requests/csv",
    "GET /nope", "POST /", "GET /swarm", "GET /assets/nope.js", "GET /login", "POST /swarm",
)  # fmt: skip
_LOCUST_FILES = (
    "GET /stop", "GET /stats/failures/csv", "GET /exceptions/csv", "GET /stats/reset", "GET /stats/requests/csv",
    "GET /stats/report", "GET /stats/report?download=1",
)  # fmt: skip


def _until_read(port: int) -> None:
    """Wait until Locust's users have requested the page."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if '"/read"' in ask(port, "GET /stats/requests").body:
            return
        time.sleep(0.2)
    raise AssertionError("Locust's users read nothing")


def _keys(answer: Answer) -> Answer:
    """Return a response with only the sorted keys of its JSON body, because the values depend on the time."""
    return Answer(answer.request, answer.status, answer.headers, str(sorted(json.loads(answer.body))))


def visit_dash(place: Place) -> list[Answer]:
    """Load the page and its files. Then call the callbacks: with a value, without a value, and with an error."""
    port = place.port
    pages = [ask(port, request) for request in _DASH_PAGES]
    calls = [ask(port, "POST /_dash-update-component", json.dumps(call).encode(), JSON) for call in _DASH_CALLS]
    broken = ask(port, "POST /_dash-update-component", b"{bad", JSON)
    return [*pages, *calls, broken]


_DASH_PAGES = (
    "GET /", "HEAD /", "OPTIONS /", "GET /_dash-layout", "GET /_dash-dependencies", "GET /_favicon.ico", "GET /plain",
    "GET /assets/nope.css", "GET /any/page", "GET /_dash-component-suites/dash/nope.js", "POST /_dash-layout",
    "GET /_dash-update-component",
)  # fmt: skip


def _call(
    output: str, changed: str, inputs: list[tuple[str, str, object]], state: list[tuple[str, str, object]]
) -> object:
    component, _, prop = output.partition(".")
    values = [[{"id": id, "property": name, "value": value} for id, name, value in each] for each in (inputs, state)]
    return {
        "output": output,
        "outputs": {"id": component, "property": prop},
        "inputs": values[0],
        "state": values[1],
        "changedPropIds": [changed],
    }


_DASH_CALLS = (
    _call("greeting.children", "name.value", [("name", "value", "Ada"), ("count", "value", 3)], []),
    _call("greeting.children", "name.value", [("name", "value", ""), ("count", "value", 3)], []),
    _call("clicks.data", "go.n_clicks", [("go", "n_clicks", 2)], [("name", "value", "\u00fc")]),
    _call("clicks.data", "go.n_clicks", [("go", "n_clicks", -1)], [("name", "value", None)]),
    _call("nope.children", "go.n_clicks", [("go", "n_clicks", 1)], []),
)


def mlflow_command(port: int) -> list[str]:
    """Return the arguments that start MLflow's tracking server with one worker, and its store in the current folder."""
    store = ["--backend-store-uri", "sqlite:///store.db", "--artifacts-destination", "artifacts"]
    return ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *store]


def visit_mlflow(place: Place) -> list[Answer]:
    """Request the server's pages, and run a program with MLflow's own client."""
    pages = [ask(place.port, request, numbers=True) for request in _MLFLOW_PAGES]
    command = [str(place.python), str(PROGRAMS / "mlflow_client.py"), f"http://127.0.0.1:{place.port}"]
    environ = place.environ | {"FLASK_SUITE_SUBJECT": "real"}
    done = subprocess.run(command, cwd=place.folder, env=environ, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
    told = [
        Answer(f"client: {told[0]}", 0, (), steady(json.dumps(told[1:]), False))
        for told in json.loads(done.stdout.splitlines()[-1])
    ]
    wrong = ask(place.port, "POST /api/2.0/mlflow/experiments/create", b"{bad", JSON)
    return [*pages, *told, wrong]


_MLFLOW_PAGES = (
    "GET /health", "GET /version", "GET /", "GET /nope", "OPTIONS /api/2.0/mlflow/experiments/search",
    "GET /api/2.0/mlflow/experiments/search?max_results=5", "GET /api/2.0/mlflow/runs/get?run_id=nope",
    "GET /get-artifact?run_id=nope&path=x", "DELETE /api/2.0/mlflow/runs/create",
)  # fmt: skip

APPLICATIONS = (
    Application("Locust", "The web UI: a swarm started, watched and stopped, its pages and CSV files.",
                locust_command, visit_locust),
    Application("Dash", "A page with callbacks: layout, dependencies, updates, no update, an error.",
                lambda port: [str(PROGRAMS / "dash_app.py"), str(port)], visit_dash),
    Application("MLflow", "The tracking server: its pages, and its own client with runs, artifacts and models.",
                mlflow_command, visit_mlflow, "GET /health"),
)  # fmt: skip
