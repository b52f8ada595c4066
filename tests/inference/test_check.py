"""A check of a repository reports all problems, not only the first."""

from __future__ import annotations

from pathlib import Path

from tests.inference.test_repository import add, add_card
from tests.inference.test_tensors import UNSERVED, build, helper, tensor
from wsgi_core.inference import check_repository, default_models_dir


def test_the_projects_own_models_are_fine() -> None:
    report = check_repository(default_models_dir())
    assert report.problems == []
    (remark,) = report.remarks
    assert "minilm: skipped, because it has no version" in remark
    assert {model.name for model in report.models} >= {"churn", "digits", "identity", "loan", "sentiment"}


def test_folders_in_which_python_keeps_bytecode_are_not_mentioned(tmp_path: Path) -> None:
    add_card(add(tmp_path, "identity", name="good"), "identity", name="good")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "good" / "__pycache__").mkdir()
    report = check_repository(tmp_path)
    assert (report.problems, report.remarks) == ([], [])


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
        "broken": "cannot be loaded as a model",
        "bad_card": "not a valid model card",
        "foreign": "the card has the name 'churn', but the folder of the model has the name 'foreign'",
        "no_file": "no such file",
        "no_version": "a card but no version",
        "named": "'v2' is not a version; expected a whole number from 1",
        "other_name": "must be named model.onnx",
        "loose": "not in the folder of a version; move it to loose/1/model.onnx",
    }.items():
        assert any(said in line and str(tmp_path / name) in line for line in report.problems), name
    assert not any("\n" in line for line in report.problems)


def test_a_folder_that_is_empty_or_not_there(tmp_path: Path) -> None:
    assert "no model found" in check_repository(tmp_path).problems[0]
    assert "cannot be listed" in check_repository(tmp_path / "nowhere").problems[0]


def test_every_folder_that_is_passed_over_is_named(tmp_path: Path) -> None:
    add_card(add(tmp_path, "identity"), "identity")
    for name in ("_old/1", ".git", "notes", "identity/01", "identity/data", "identity/_2", "identity/1/weights"):
        (tmp_path / name).mkdir(parents=True)
    add(tmp_path, "identity", name="_hidden")
    report = check_repository(tmp_path)
    assert (report.problems, [model.id for model in report.models]) == ([], ["identity/1"])
    said = {line.partition(": ")[0]: line.partition(": ")[2] for line in report.remarks}
    assert said == {
        str(tmp_path / ".git"): "skipped, because its name begins with '.'",
        str(tmp_path / "_hidden"): "skipped, because its name begins with '_'",
        str(tmp_path / "_old"): "skipped, because its name begins with '_'",
        str(tmp_path / "notes"): "skipped, because it has no version; expected notes/1/model.onnx",
        str(tmp_path / "identity" / "01"): "skipped, because '01' is not a version",
        str(tmp_path / "identity" / "_2"): "skipped, because '_2' is not a version",
        str(tmp_path / "identity" / "data"): "skipped, because 'data' is not a version",
    }


def test_a_part_that_is_not_served_is_named(tmp_path: Path) -> None:
    (tmp_path / "demo" / "1").mkdir(parents=True)
    node, output, _ = UNSERVED["sequence"]
    same = helper.make_node("Identity", ["a"], ["c"])
    sides = [tensor("a", "FP32", ["N"])], [output, tensor("c", "FP32", ["N"])]
    build(tmp_path / "demo" / "1" / "model.onnx", [node, same], *sides)
    report = check_repository(tmp_path)
    assert report.problems == []
    assert any(
        "the output 'b' (seq(tensor(float))) is not served: the protocol has no seq" in line for line in report.remarks
    )
