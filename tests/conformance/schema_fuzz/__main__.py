"""Generate requests from /openapi.json, and send them to both services, each in its own process.

Every response must have a status, a content type and a schema that the description has for the operation. A valid
request must be accepted, an invalid request must be rejected, and no response may be a server error. Otherwise the exit
code is not 0.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from tests.conformance.schema_fuzz.hooks import SECRET, SOURCE
from tests.processes import Server, environment

CONFIG = Path(__file__).with_name("schemathesis.toml")
PHASES = "examples,coverage,fuzzing"

# Loading and unloading models has a separate pass, because other requests need the models.
PASSES: dict[str, tuple[dict[str, str], list[str]]] = {
    "": ({}, ["--exclude-path-regex", "/repository/models/"]),
    "model control": ({"WSGI_CORE_MODEL_CONTROL": "true"}, ["--include-path-regex", "/repository/models/"]),
}


@click.command()
@click.option("--examples", default=50, show_default=True, type=click.IntRange(1), help="Requests for each operation.")
@click.option("--framework", "frameworks", multiple=True, default=["wsgi_core", "flask"], show_default=True)
def main(examples: int, frameworks: tuple[str, ...]) -> None:
    """Test the services against their OpenAPI description."""
    codes = [check(framework, name, examples) for framework in frameworks for name in PASSES]
    sys.exit(max(codes))


def check(framework: str, name: str, examples: int) -> int:
    """Run one pass over one service. Return schemathesis' exit code, or 1 if the service has logged an error."""
    settings, options = PASSES[name]
    command = ["-m", "wsgi_core", "serve", "--port", "0", "--framework", framework]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        store = {"WSGI_CORE_JOB_STORE": str(Path(folder) / "jobs")}
        settings = {"WSGI_CORE_WEBHOOK_SECRETS": f"{SOURCE}={SECRET}", **store, **settings}
        server = stack.enter_context(Server(*command, **settings)).ready()
        click.echo(f"\n== {framework} {name}", nl=True)
        code = schemathesis(f"http://{server.host}:{server.port}/openapi.json", examples, options)
    said = [line for line in server.lines if "Traceback" in line or " ERROR " in line]
    click.echo("".join(said), nl=False)
    return 1 if said else code


def schemathesis(url: str, examples: int, options: list[str]) -> int:
    """Run schemathesis in a temporary folder, so that it stores nothing between runs. Return its exit code."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", url, "--phases", PHASES,
        "--max-examples", str(examples), "--continue-on-failure", "--warnings", "off", "--no-color", *options,
    ]  # fmt: skip
    environ = {**environment(), "SCHEMATHESIS_HOOKS": "tests.conformance.schema_fuzz.hooks"}
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(command, cwd=folder, env=environ, check=False, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUTF8", "1")
    main()
