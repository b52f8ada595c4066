"""Which models there are, and one clear line for each way in which they can be broken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from wsgi_core.inference import InvalidInput, ModelError, ModelNotFound, ModelRepository, bundled, default_models_dir


def add(models: Path, source: str, name: str = "", version: str = "1") -> Path:
    """A copy of a committed model's graph, without its card; returns the model's folder."""
    target = models / (name or source) / version
    target.mkdir(parents=True)
    shutil.copy(default_models_dir() / source / "1" / "model.onnx", target)
    return target.parent


def add_card(folder: Path, source: str, **changes: object) -> None:
    card = json.loads((default_models_dir() / source / "card.json").read_text(encoding="utf-8"))
    (folder / "card.json").write_text(json.dumps({**card, **changes}), encoding="utf-8")


def refusal(directory: Path) -> str:
    with pytest.raises(ModelError) as caught:
        ModelRepository(directory)
    message = str(caught.value)
    assert "\n" not in message
    assert str(directory) in message
    return message


def test_the_default_models_are_the_projects() -> None:
    ids = [model.id for model in ModelRepository().models]
    assert ids == ["churn/1", "digits/1", "identity/1", "loan/1", "sentiment/1"]


def test_an_installed_package_brings_its_own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "PACKAGE", tmp_path / "wsgi_core")
    assert default_models_dir() == tmp_path / "models"
    (tmp_path / "wsgi_core" / "_models").mkdir(parents=True)
    assert default_models_dir() == tmp_path / "wsgi_core" / "_models"


def test_the_newest_version_is_the_default(tmp_path: Path) -> None:
    for version in ("2", "10", "9"):
        add(tmp_path, "identity", version=version)
    models = ModelRepository(str(tmp_path))
    assert [model.version for model in models.models] == ["2", "9", "10"]
    assert models.get("identity").id == "identity/10"
    assert models.get("identity", "2").id == models.get("identity", 2).id == "identity/2"


def test_an_unknown_name_or_version_is_not_found() -> None:
    models = ModelRepository()
    with pytest.raises(ModelNotFound, match="no model 'house'; there is churn/1, digits/1, identity/1"):
        models.get("house")
    with pytest.raises(ModelNotFound, match="no model 'churn/7'"):
        models.get("churn", "7")


def test_other_files_and_folders_are_left_alone(tmp_path: Path) -> None:
    folder = add(tmp_path, "identity")
    for name in ("__pycache__", ".git", "notes", "identity/old", "identity/01", "identity/__pycache__"):
        (tmp_path / name).mkdir()
    (folder / "train.py").write_text("", encoding="utf-8")
    (tmp_path / "README").write_text("", encoding="utf-8")
    assert [model.id for model in ModelRepository(tmp_path).models] == ["identity/1"]


def test_a_model_without_a_card_runs_but_takes_no_features(tmp_path: Path) -> None:
    add(tmp_path, "churn")
    model = ModelRepository(tmp_path).get("churn")
    assert model.card is None
    assert model.run(np.zeros((2, 5), np.float32)).shape == (2,)  # the first output is the label
    with pytest.raises(InvalidInput, match="churn/1 has no card"):
        model.predict({})


def test_the_row_limit_reaches_every_model(tmp_path: Path) -> None:
    add_card(add(tmp_path, "identity"), "identity")
    model = ModelRepository(tmp_path, max_rows=3).get("identity")
    assert model.card is not None
    assert len(model.predict([model.card.example] * 3)["predictions"]) == 3
    with pytest.raises(InvalidInput, match="expected 1 to 3 rows, got 4"):
        model.predict([model.card.example] * 4)


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    assert "the models cannot be listed" in refusal(tmp_path / "nowhere")


def test_an_empty_folder_is_one_line(tmp_path: Path) -> None:
    assert "no model here; expected <name>/<version>/model.onnx" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x08\x07"])
def test_a_broken_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    folder = add(tmp_path, "churn")
    add_card(folder, "churn")
    (folder / "1" / "model.onnx").write_bytes(content)
    assert "not a model that can be loaded" in refusal(tmp_path)


def test_a_cut_file_is_one_line(tmp_path: Path) -> None:
    path = add(tmp_path, "churn") / "1" / "model.onnx"
    path.write_bytes(path.read_bytes()[:40_000])
    assert "not a model that can be loaded" in refusal(tmp_path)


def test_a_version_without_its_file_is_one_line(tmp_path: Path) -> None:
    add(tmp_path, "churn")
    (tmp_path / "churn" / "2").mkdir()
    assert "no such file; build the model" in refusal(tmp_path)


def test_a_card_without_any_version_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "churn").mkdir()
    add_card(tmp_path / "churn", "churn")
    assert "a card but no version; expected churn/1/model.onnx" in refusal(tmp_path)


def test_a_broken_card_is_one_line(tmp_path: Path) -> None:
    (add(tmp_path, "churn") / "card.json").write_text("{", encoding="utf-8")
    assert "not a valid model card" in refusal(tmp_path)


def test_another_models_card_is_one_line(tmp_path: Path) -> None:
    add_card(add(tmp_path, "churn"), "identity")
    assert "the card of 'identity' in the folder of 'churn'" in refusal(tmp_path)
    add_card(tmp_path / "churn", "identity", name="churn")
    assert "the card and the file do not belong together" in refusal(tmp_path)


def test_a_card_with_too_few_features_is_one_line(tmp_path: Path) -> None:
    folder = add(tmp_path, "churn")
    add_card(folder, "churn")
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    add_card(folder, "churn", features=card["features"][:4])
    assert "does not run with its card" in refusal(tmp_path)


def test_a_card_that_names_a_column_too_far_is_one_line(tmp_path: Path) -> None:
    add_card(add(tmp_path, "churn"), "churn", output={"name": "p", "tensor": "probabilities", "column": 2})
    assert "does not run with its card" in refusal(tmp_path)
