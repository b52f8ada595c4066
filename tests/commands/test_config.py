"""``wsgi-core config``, and the settings as options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.runner import CliRunner
from wsgi_core.__main__ import cli
from wsgi_core.shared.settings import Settings
from wsgi_core.shared.settings.sources import is_secret, option


@pytest.fixture(autouse=True)
def _an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)


def config(*args: str, **environ: str) -> Result:
    return CliRunner().invoke(cli, ["config", *args], env={"COLUMNS": "200", **environ})


def test_it_shows_what_holds_and_where_it_comes_from():
    Path("wsgi-core.toml").write_text("max_waiting = 7\n", encoding="utf-8")
    result = config("--port", "9", WSGI_CORE_THREADS="3")
    assert result.exit_code == 0
    lines = {line.split("│")[1].strip(): line for line in result.output.splitlines() if line.count("│") > 3}
    lines.pop("Setting", None)  # the heading, which looks like a row on Windows
    lines.pop("", None)  # the second lines of long descriptions
    assert lines.keys() == Settings.model_fields.keys()
    for name, value, source in (("port", "9", "--port"), ("threads", "3", "WSGI_CORE_THREADS")):
        assert [cell.strip() for cell in lines[name].split("│")[2:4]] == [value, source]
    assert "wsgi-core.toml" in lines["max_waiting"]
    assert "default" in lines["host"]


def test_it_gives_json_to_programs():
    result = config("--json", WSGI_CORE_TRUSTED_HOSTS="a.test,b.test", WSGI_CORE_API_KEY="0123456789abcdef")
    answer = json.loads(result.output)
    assert answer["file"] is None
    assert answer["settings"].keys() == Settings.model_fields.keys()
    assert answer["settings"]["trusted_hosts"] == {"value": ["a.test", "b.test"], "source": "WSGI_CORE_TRUSTED_HOSTS"}
    assert answer["settings"]["api_key"]["source"] == "WSGI_CORE_API_KEY"


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_a_secret_is_masked(how: tuple[str, ...]):
    result = config(*how, WSGI_CORE_API_KEY="0123456789abcdef")
    assert result.exit_code == 0
    assert "0123456789abcdef" not in result.output
    assert "*****" in result.output


def test_a_problem_is_exit_code_2_and_named():
    result = config(WSGI_CORE_PROT="1")
    assert result.exit_code == 2
    assert "WSGI_CORE_PROT: there is no such setting; the nearest is WSGI_CORE_PORT" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["config", "serve"])
def test_every_setting_but_secrets_is_an_option(command: str):
    printed = CliRunner().invoke(cli, [command, "--help"]).output
    for name in Settings.model_fields:
        assert (f"  {option(name)} " in printed) is not is_secret(name)
    assert "--config FILE" in printed


def test_a_flag_can_be_turned_off():
    result = config("--json", "--no-access-log", WSGI_CORE_ACCESS_LOG="1")
    assert json.loads(result.output)["settings"]["access_log"] == {"value": False, "source": "--access-log"}
