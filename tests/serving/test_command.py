"""Every documented way to start a server works, and an error at the start is one clear line."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conformance.cases import GOOD
from tests.processes import Server, run
from tests.runner import CliRunner
from wsgi_core.__main__ import cli
from wsgi_core.inference import default_models_dir
from wsgi_core.serving import application
from wsgi_core.serving import command as server_module
from wsgi_core.shared.installation import install_command
from wsgi_core.shared.settings import Settings

FRAMEWORKS = ("wsgi_core", "flask")


def predict(server: Server) -> None:
    """Request a prediction and the start page of a server."""
    connection = http.client.HTTPConnection(*server.address, timeout=20)
    try:
        connection.request("POST", "/predict", json.dumps(GOOD), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200
        assert answer["model_version"] == "churn/1"
        assert 0 < answer["churn_probability"] < 1
    finally:
        connection.close()


# Ways to start


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_python_m_wsgi_core_serves(servers: dict[str, Server], framework: str):
    server = servers[framework]
    predict(server)
    printed = "".join(server.lines)
    assert f"http://127.0.0.1:{server.port}" in printed
    assert f"framework {framework}" in printed
    assert "models churn/1, " in printed
    assert " threads" in printed


def test_waitress_serve_serves():
    with Server("-m", "waitress", "--listen=127.0.0.1:0", "--call", "wsgi_core.service:create_app") as server:
        predict(server.ready())


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")
@pytest.mark.parametrize("module", ["wsgi_core.service", pytest.param("flask_equiv.service", marks=pytest.mark.long)])
def test_gunicorn_serves(module: str, tmp_path: Path):
    # Some versions of gunicorn create a control socket in HOME.
    with Server("-m", "gunicorn", "--bind", "127.0.0.1:0", f"{module}:create_app()", HOME=str(tmp_path)) as server:
        predict(server.ready())


def test_flask_run_serves_the_twin():
    with Server("-m", "flask", "--app", "flask_equiv.service", "run", "--port", "0") as server:
        predict(server.ready())


def test_a_model_repository_of_ones_own_is_served(tmp_path: Path):
    shutil.copytree(default_models_dir() / "churn", tmp_path / "churn")
    with Server("-m", "wsgi_core", "serve", "--port", "0", "--models", str(tmp_path), "--threads", "1") as server:
        predict(server.ready())
        assert "models churn/1, 1 threads" in "".join(server.lines)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to catch")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_without_a_traceback(number: int):
    with Server("-m", "wsgi_core", "serve", "--port", "0") as server:
        predict(server.ready())
        server.process.send_signal(number)
        assert server.process.wait(10) == 0
        server.stop()
        assert "Traceback" not in "".join(server.lines)


def test_the_access_log_is_written_when_asked_for():
    with Server("-m", "wsgi_core", "serve", "--port", "0", "--access-log") as server:
        predict(server.ready())
        server.stop()
        assert "INFO wsgi_core.access: POST /predict 200" in "".join(server.lines)


# What goes wrong


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which another socket listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def one_line(stdout: str, stderr: str) -> str:
    """Return the only printed line, which must be an error."""
    assert stdout == ""
    lines = stderr.splitlines()
    assert len(lines) == 1, stderr
    assert lines[0].startswith("Error: ")
    return lines[0]


def refusal(*args: str, code: int) -> str:
    """Start a server in this process, which must fail. Return the line that it prints."""
    result = CliRunner().invoke(cli, ["serve", *args])
    assert result.exit_code == code, result.output
    return one_line(result.stdout, result.stderr)


def refusal_of_process(*args: str, code: int) -> str:
    """Start a server in a separate process, which must fail. Return the line that it prints."""
    done = run("-m", "wsgi_core", "serve", *args)
    assert done.returncode == code, done.stderr
    return one_line(done.stdout, done.stderr)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_occupied_port_is_exit_code_2(taken_port: int, framework: str):
    start = refusal_of_process if framework == "wsgi_core" else refusal
    line = start("--port", str(taken_port), "--framework", framework, code=2)
    assert f"127.0.0.1:{taken_port}" in line
    assert "--port" in line


def test_an_address_that_is_not_this_machines_is_exit_code_2():
    assert "192.0.2.1:8080" in refusal("--host", "192.0.2.1", code=2)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "::zz", "a..b", "ä..b", "x" * 70])
def test_a_host_that_is_none_is_exit_code_2(host: str):
    assert host in refusal("--host", host, "--port", "0", code=2)


def test_a_missing_folder_is_exit_code_3(tmp_path: Path):
    assert str(tmp_path / "none") in refusal("--port", "0", "--models", str(tmp_path / "none"), code=3)


def test_a_folder_without_models_is_exit_code_3(tmp_path: Path):
    assert str(tmp_path) in refusal("--port", "0", "--models", str(tmp_path), code=3)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("damage", ["missing file", "no model", "cut off", "broken card"])
def test_a_broken_model_is_exit_code_3(tmp_path: Path, damage: str, framework: str):
    folder = tmp_path / "churn"
    shutil.copytree(default_models_dir() / "churn", folder)
    file, card = folder / "1" / "model.onnx", folder / "card.json"
    match damage:
        case "missing file":
            file.unlink()
        case "no model":
            file.write_bytes(b"this is no model")
        case "cut off":
            file.write_bytes(file.read_bytes()[:1000])
        case "broken card":
            card.write_text("{", encoding="utf-8")
    start = refusal_of_process if (damage, framework) == ("no model", "wsgi_core") else refusal
    line = start("--port", "0", "--models", str(tmp_path), "--framework", framework, code=3)
    assert str(card if damage == "broken card" else file) in line


@pytest.mark.parametrize("args", [("--port", "70000"), ("--threads", "0"), ("--framework", "django"), ("--nonsense",)])
def test_options_that_make_no_sense_are_refused(args: tuple[str, ...]):
    result = CliRunner().invoke(cli, ["serve", *args])
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_without_flask_the_twin_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'flask'", name="flask")

    monkeypatch.setattr(application, "importlib", SimpleNamespace(import_module=missing))
    assert install_command("flask") in refusal("--port", "0", "--framework", "flask", code=1)


# Parts


def test_bind_finds_a_free_port_and_refuses_a_taken_one():
    sock = server_module.bind("127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match="ddress"):
            server_module.bind("127.0.0.1", sock.getsockname()[1])
    finally:
        sock.close()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_service_that_cannot_be_made_raises(framework: str, tmp_path: Path):
    with pytest.raises(application.StartError) as failed:
        application.load_application(Settings(framework=framework, models=tmp_path))
    assert failed.value.code == 3
