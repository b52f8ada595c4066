"""A repository's check names everything that is wrong, not just the first of it."""

from __future__ import annotations

from pathlib import Path

from tests.inference.test_repository import add, add_card
from wsgi_core.inference import check_repository, default_models_dir


def test_the_projects_own_models_are_fine() -> None:
    report = check_repository(default_models_dir())
    assert report.problems == []
    assert report.remarks == []
    assert {model.name for model in report.models} >= {"churn", "digits", "identity", "loan", "sentiment"}


def test_all_that_is_wrong_is_named(tmp_path: Path) -> None:
    add_card(add(tmp_path, "identity", name="good"), "identity", name="good")
    add(tmp_path, "identity", name="bare")
    (add(tmp_path, "identity", name="broken") / "1" / "model.onnx").write_bytes(b"x")
    (add(tmp_path, "identity", name="bad_card") / "card.json").write_text("{", encoding="utf-8")
    add_card(add(tmp_path, "identity", name="foreign"), "churn")
    (tmp_path / "no_file" / "1").mkdir(parents=True)
    (tmp_path / "no_version").mkdir()
    add_card(tmp_path / "no_version", "churn")
    add(tmp_path, "identity", name="named", version="v2")
    (add(tmp_path, "identity", name="other_name") / "1" / "model.onnx").rename(tmp_path / "other_name" / "1" / "m.onnx")
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "model.onnx").write_bytes(b"x")

    report = check_repository(tmp_path)
    assert [model.id for model in report.models] == ["bare/1", "good/1"]
    assert len(report.remarks) == 1
    assert "no card.json" in report.remarks[0]
    for name, said in {
        "broken": "not a model that can be loaded",
        "bad_card": "not a valid model card",
        "foreign": "the card of 'churn' in the folder of 'foreign'",
        "no_file": "no such file",
        "no_version": "a card but no version",
        "named": "'v2' is not a version; expected a whole number from 1",
        "other_name": "must be called model.onnx",
        "loose": "not inside a version; move it to loose/1/model.onnx",
    }.items():
        assert any(said in line and str(tmp_path / name) in line for line in report.problems), name
    assert not any("\n" in line for line in report.problems)


def test_a_folder_that_is_empty_or_not_there(tmp_path: Path) -> None:
    assert "no model here" in check_repository(tmp_path).problems[0]
    assert "cannot be listed" in check_repository(tmp_path / "nowhere").problems[0]
