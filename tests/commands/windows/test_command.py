"""wsgi-core service: elsewhere, one clear error; on Windows, .ci/windows_check.py tests the whole life of a service."""

from __future__ import annotations

import sys

import pytest
from click.testing import Result

from tests.runner import CliRunner
from wsgi_core.__main__ import cli
from wsgi_core.commands.windows import manager
from wsgi_core.shared.installation import install_command


def service(*args: str) -> Result:
    return CliRunner().invoke(cli, ["service", *args])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has services")
@pytest.mark.parametrize("verb", ["install", "start", "stop", "status", "remove"])
def test_elsewhere_it_names_what_to_use_there(verb: str):
    result = service(verb)
    assert result.exit_code == 1
    assert result.stderr == "Error: this command needs Windows; on Linux, use wsgi-core deploy systemd\n"


def test_without_pywin32_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = service("start")
    assert result.exit_code == 1
    assert install_command("windows") in result.stderr


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """The calls of the service manager, on a fake Windows that accepts every call."""
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(manager, "install", lambda *args: calls.append(args))
    return calls


def test_the_settings_stand_in_the_services_command(installed: list[tuple[object, ...]]):
    result = service("install", "--name", "churn", "--port", "81", "--stop-pause", "2", "--stop-timeout", "8")
    assert result.exit_code == 0, result.output
    assert "wsgi-core service start --name churn" in result.stdout
    ((name, command, account, milliseconds),) = installed
    assert (name, account, milliseconds) == ("churn", "LocalService", 15_000)
    assert str(command).endswith("WSGI_CORE_PORT=81 WSGI_CORE_STOP_PAUSE=2.0 WSGI_CORE_STOP_TIMEOUT=8.0")


def test_a_setting_that_does_not_fit_installs_nothing(installed: list[tuple[object, ...]]):
    result = service("install", "--port", "70000")
    assert result.exit_code == 2
    assert "--port" in result.stderr
    assert installed == []


def test_what_the_manager_refuses_is_one_line(installed: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch):
    def refuse(name: str) -> None:
        raise manager.ServiceError(f"{name}: it is not running")

    monkeypatch.setattr(manager, "stop", refuse)
    result = service("stop")
    assert (result.exit_code, result.stderr) == (1, "Error: wsgi-core: it is not running\n")


@pytest.mark.parametrize(
    ("state", "code", "exit_code", "said"),
    [
        ("running", 0, 0, "process 7"),
        ("stopped", 3, 1, "a model or the application cannot be loaded (code 3)"),
        ("stopped", 0, 1, ""),
    ],
)
def test_the_status_tells_what_it_ended_with(
    installed: list[tuple[object, ...]],
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    code: int,
    exit_code: int,
    said: str,
):
    process = 7 if state == "running" else 0
    monkeypatch.setattr(manager, "status", lambda name: manager.Status(state, process, code, "python.exe ..."))
    result = service("status")
    assert result.exit_code == exit_code
    assert f"wsgi-core is {state}" in result.stdout
    assert said in result.stdout
