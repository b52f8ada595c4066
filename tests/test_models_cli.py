"""wsgi-core models: what it prints, and the exit codes that a script relies on."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.inference.test_repository import add
from wsgi_core.inference import default_models_dir, minilm
from wsgi_core.models_cli import models_command


def call(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(models_command, [str(argument) for argument in arguments])


def test_lists_what_each_model_takes_and_answers() -> None:
    result = call("list")
    assert result.exit_code == 0
    for text in (
        "churn/1",
        "features FP32 [-1, 5]",
        "probabilities FP32 [-1, 2]",
        "sentiment/1",
        "tokens INT64 [-1, -1]",
    ):
        assert text in result.output


def test_lists_another_folder_or_says_why_not(tmp_path: Path) -> None:
    add(tmp_path, "identity", name="mine")
    assert "mine/1" in call("list", "--models", tmp_path).output
    result = call("list", "--models", tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "the models cannot be listed" in result.output


def test_check_exits_with_1_if_anything_is_wrong(tmp_path: Path) -> None:
    result = call("check", default_models_dir())
    assert result.exit_code == 0
    assert "ok       loan/1" in result.stdout
    (add(tmp_path, "identity") / "1" / "model.onnx").write_bytes(b"x")
    add(tmp_path, "identity", name="bare")
    result = call("check", tmp_path)
    assert result.exit_code == 1
    assert "ok       bare/1" in result.stdout
    assert "remark " in result.stdout
    assert "problem  " in result.stderr
    assert "not a model that can be loaded" in result.stderr


def test_build_says_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in minilm.SHA256:
        (tmp_path / name).write_bytes(b"else")
    monkeypatch.setattr(minilm, "find_source", lambda: tmp_path)
    result = call("build", "minilm", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "not the published file" in result.stderr
    assert not (tmp_path / "out").exists()


def test_build_knows_only_minilm() -> None:
    result = call("build", "maxilm")
    assert result.exit_code == 2
    assert "'maxilm' is not 'minilm'" in result.stderr
