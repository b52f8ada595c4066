"""wsgi-core deploy: which files it writes, which options it rejects, and what it prints."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import Result

from tests.runner import CliRunner
from wsgi_core.__main__ import cli
from wsgi_core.commands.deploy.targets import TARGETS

NAMES = [target.name for target in TARGETS]


def deploy(*args: str) -> Result:
    return CliRunner().invoke(cli, ["deploy", *args])


@pytest.mark.parametrize("target", NAMES)
def test_every_target_writes_its_files_and_says_what_comes_next(target: str, tmp_path: Path):
    result = deploy(target, "--out", str(tmp_path / "new" / "folder"))
    assert result.exit_code == 0, result.output
    folder = tmp_path / "new" / "folder"
    said = {line for line in result.output.splitlines() if line.startswith("wrote ")}
    assert said == {f"wrote {path}" for path in folder.iterdir()} != set()
    assert "\nNext" in result.output


@pytest.mark.parametrize("target", NAMES)
def test_every_file_ends_with_one_line_end_and_no_line_with_blanks(target: str):
    text = deploy(target, "--print").stdout
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize("target", NAMES)
def test_printing_writes_nothing(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert deploy(target, "--print").exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_the_default_folder_is_the_targets_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert deploy("gunicorn").exit_code == 0
    assert (tmp_path / "deploy" / "gunicorn" / "gunicorn.conf.py").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
@pytest.mark.parametrize("link", ["deploy", "deploy/gunicorn"])
def test_the_default_folder_is_not_a_link(link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    (here / link).parent.mkdir(parents=True)
    elsewhere.mkdir()
    (here / link).symlink_to(elsewhere)
    monkeypatch.chdir(here)
    refused = deploy("gunicorn")
    assert refused.exit_code == 1
    assert "name the folder with --out" in refused.stderr
    assert list(elsewhere.iterdir()) == []
    assert deploy("gunicorn", "--out", link).exit_code == 0, "a folder that is named may be a link"


def test_a_file_that_was_changed_is_replaced_only_by_force(tmp_path: Path):
    args = ("gunicorn", "--out", str(tmp_path))
    file = tmp_path / "gunicorn.conf.py"
    assert deploy(*args).exit_code == 0
    assert deploy(*args).exit_code == 0, "the same again is no change"
    file.write_text("mine", encoding="utf-8")
    refused = deploy(*args)
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert file.read_text(encoding="utf-8") == "mine"
    assert deploy(*args, "--force").exit_code == 0
    assert file.read_text(encoding="utf-8") != "mine"


@pytest.mark.parametrize("target", ["systemd", "winsw"])
def test_a_path_from_this_folder_on_is_found_from_every_other(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    printed = deploy(target, "--models", "my_models", "--print").stdout
    assert str(tmp_path / "my_models") in printed.replace("\\\\", "\\")


@pytest.mark.parametrize("target", ["systemd", "gunicorn", "granian", "kubernetes", "kserve"])
def test_a_path_of_linux_keeps_its_slashes_on_every_system(target: str):
    args = ("--models", "/srv/models", "--custom-op-libraries", "/srv/ops.so")
    printed = deploy(target, *args, "--print").stdout
    assert "/srv/models" in printed
    assert "/srv/ops.so" in printed
    assert "\\srv" not in printed


def test_what_stands_in_a_files_place_is_left_there(tmp_path: Path):
    file = tmp_path / "gunicorn.conf.py"
    file.write_bytes(b"\xff\xfe")
    assert "--force" in deploy("gunicorn", "--out", str(tmp_path)).stderr
    file.unlink()
    file.mkdir()
    result = deploy("gunicorn", "--out", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = deploy("nginx", "--out", str(tmp_path / "file" / "below"))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("systemd", "--port", "70000"), "--port"),
        (("systemd", "--name", "Über"), "--name"),
        (("systemd", "--user", "root;"), "--user"),
        (("systemd", "--python", ""), "--python"),
        (("systemd", "--models", "a\nb"), "--models"),
        (("nginx", "--server-name", "a; b"), "--server-name"),
        (("nginx", "--servers", "0"), "--servers"),
        (("docker", "--image", "A B"), "--image"),
        (("docker", "--models", "/srv/models"), "image is built"),
        (("docker", "--models", "../models"), "image is built"),
        (("kubernetes", "--models", "models"), "inside the image"),
        (("kserve", "--port", "0"), "give one from 1 to 65535"),
        (("nginx", "--port", "65535", "--servers", "2"), "give a lower port"),
        (("kubernetes", "--memory", "much"), "a size such as 512Mi or 2Gi, not 'much'"),
        (("kubernetes", "--cpu", "much"), "--cpu"),
        (("kubernetes", "--min-replicas", "5", "--max-replicas", "2"), "--max-replicas"),
        (("iis", "--models", r"C:\100%\models"), "percent"),
        (("nginx", "--image", "x"), "No such option"),
    ],
)
def test_what_makes_no_sense_is_refused(args: tuple[str, ...], said: str):
    result = deploy(*args, "--print")
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert result.stdout == ""


def test_the_environment_of_this_machine_is_not_written_down(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WSGI_CORE_PORT", "1234")
    assert "1234" not in deploy("winsw", "--print").stdout


def test_a_file_of_settings_is_named_where_there_are_files(tmp_path: Path):
    config = tmp_path / "my.toml"
    config.write_text('threads = 3\napi_key = "a secret of enough length"\n', encoding="utf-8")
    printed = deploy("systemd", "--config", str(config), "--print").stdout
    assert "WSGI_CORE_CONFIG=" in printed
    assert "secret of enough" not in printed
    assert "WSGI_CORE_THREADS" not in printed


def test_a_containers_files_hold_the_settings_but_no_secret(tmp_path: Path):
    config = tmp_path / "my.toml"
    config.write_text("threads = 3\n", encoding="utf-8")
    assert "WSGI_CORE_THREADS" in deploy("kubernetes", "--config", str(config), "--print").stdout
    config.write_text('api_key = "a secret of enough length"\n', encoding="utf-8")
    refused = deploy("kubernetes", "--config", str(config), "--print")
    assert refused.exit_code == 2
    assert "api_key is a secret" in refused.stderr
    assert "enough length" not in refused.output
