"""Models are loaded and unloaded while requests run, and each defect of a model is reported in one clear line."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from wsgi_core.inference import (
    IndexEntry,
    InvalidInput,
    ModelError,
    ModelNotFound,
    ModelRepository,
    Reload,
    bundled,
    default_models_dir,
    folders,
)
from wsgi_core.inference.folders import ModelOnDisk, find_models
from wsgi_core.inference.work import Work


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait only briefly for the files that a test has just written."""
    monkeypatch.setattr(folders, "STABLE_SECONDS", 0.05)


def add(models: Path, source: str, name: str = "", version: str = "1") -> Path:
    """Copy the graph of a committed model without its card. Return the folder of the copy."""
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
    with pytest.raises(ModelNotFound, match="no model 'house'; available: churn/1, digits/1, identity/1"):
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
    assert "no model found; expected <name>/<version>/model.onnx" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x08\x07"])
def test_a_broken_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    folder = add(tmp_path, "churn")
    add_card(folder, "churn")
    (folder / "1" / "model.onnx").write_bytes(content)
    assert "cannot be loaded as a model" in refusal(tmp_path)


def test_a_cut_file_is_one_line(tmp_path: Path) -> None:
    path = add(tmp_path, "churn") / "1" / "model.onnx"
    path.write_bytes(path.read_bytes()[:40_000])
    assert "cannot be loaded as a model" in refusal(tmp_path)


def test_a_version_without_its_file_is_one_line(tmp_path: Path) -> None:
    add(tmp_path, "churn")
    (tmp_path / "churn" / "2").mkdir()
    assert "no such file; build the model" in refusal(tmp_path)


def test_a_card_without_any_version_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "churn").mkdir()
    add_card(tmp_path / "churn", "churn")
    assert "has a card but no version; expected churn/1/model.onnx" in refusal(tmp_path)


def test_a_broken_card_is_one_line(tmp_path: Path) -> None:
    (add(tmp_path, "churn") / "card.json").write_text("{", encoding="utf-8")
    assert "not a valid model card" in refusal(tmp_path)


def test_another_models_card_is_one_line(tmp_path: Path) -> None:
    add_card(add(tmp_path, "churn"), "identity")
    assert "the card has the name 'identity', but the folder of the model has the name 'churn'" in refusal(tmp_path)
    add_card(tmp_path / "churn", "identity", name="churn")
    assert "the card does not match the file" in refusal(tmp_path)


def test_a_card_with_too_few_features_is_one_line(tmp_path: Path) -> None:
    folder = add(tmp_path, "churn")
    add_card(folder, "churn")
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    add_card(folder, "churn", features=card["features"][:4])
    assert "the model fails for the example in its card" in refusal(tmp_path)


def test_a_card_that_names_a_column_too_far_is_one_line(tmp_path: Path) -> None:
    add_card(add(tmp_path, "churn"), "churn", output={"name": "p", "tensor": "probabilities", "column": 2})
    assert "the model fails for the example in its card" in refusal(tmp_path)


# Versions are added and removed while requests run.


ROW = {"instances": [{f"x{n}": 1.0 for n in range(1, 6)}]}


@pytest.fixture
def repository(tmp_path: Path) -> ModelRepository:
    """A repository with identity/1 with a card, and churn/1 without a card."""
    add_card(add(tmp_path, "identity"), "identity")
    add(tmp_path, "churn")
    return ModelRepository(tmp_path)


def ids(repository: ModelRepository) -> list[str]:
    return [model.id for model in repository.models]


def test_nothing_new_changes_nothing(repository: ModelRepository) -> None:
    before = list(repository.models)
    assert repository.reload() == Reload()
    assert all(old is new for old, new in zip(before, repository.models, strict=True))


def test_an_added_version_is_the_default_and_the_old_one_stays(repository: ModelRepository, tmp_path: Path) -> None:
    old = repository.get("identity")
    add(tmp_path, "identity", version="2")
    assert repository.get("identity") is old
    assert repository.reload() == Reload(added=["identity/2"])
    assert repository.get("identity").id == "identity/2"
    assert repository.get("identity", 1) is old
    assert repository.versions("identity") == ["1", "2"]


def test_a_changed_file_is_loaded_and_a_removed_one_let_go(repository: ModelRepository, tmp_path: Path) -> None:
    old = repository.get("churn")
    shutil.copy(tmp_path / "identity" / "1" / "model.onnx", tmp_path / "churn" / "1" / "model.onnx")
    assert repository.reload() == Reload(changed=["churn/1"])
    assert repository.get("churn") is not old
    assert repository.get("churn").inputs[0].name == "x"
    assert old.run(np.zeros((1, 5), np.float32)).shape == (1,)  # a request that has the old model can still use it
    shutil.rmtree(tmp_path / "churn")
    assert repository.reload() == Reload(removed=["churn/1"])
    assert ids(repository) == ["identity/1"]


def test_a_changed_card_reloads_its_model_alone(repository: ModelRepository, tmp_path: Path) -> None:
    other = repository.get("churn")
    add_card(tmp_path / "identity", "identity", description="changed")
    assert repository.reload() == Reload(changed=["identity/1"])
    card = repository.get("identity").card
    assert card is not None
    assert card.description == "changed"
    assert repository.get("churn") is other


def test_a_version_may_have_a_card_of_its_own(tmp_path: Path) -> None:
    add_card(add(tmp_path, "identity"), "identity")
    add(tmp_path, "identity", version="2")
    add_card(tmp_path / "identity" / "2", "churn", name="identity", output={"name": "y", "tensor": "y"},
             input={"tensor": "x"})  # fmt: skip
    repository = ModelRepository(tmp_path)
    first, second = (repository.get("identity", version).card for version in (1, 2))
    assert first is not None
    assert second is not None
    assert [first.features[0].name, second.features[0].name] == ["x1", "tenure_months"]


@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_a_broken_file_is_refused_and_the_old_one_serves_on(
    repository: ModelRepository, tmp_path: Path, content: bytes | None
) -> None:
    old, path = repository.get("identity"), tmp_path / "identity" / "1" / "model.onnx"
    good = path.read_bytes()
    path.unlink() if content is None else path.write_bytes(content)
    for _ in range(2):  # each reload reports it again
        done = repository.reload()
        assert list(done.refused) == ["identity/1"]
        assert str(path) in str(done.refused["identity/1"])
        assert repository.get("identity") is old
    assert repository.index()[1] == IndexEntry(
        "identity", "1", "READY", inside(tmp_path, str(done.refused["identity/1"]))
    )
    path.write_bytes(good)
    assert repository.reload() == Reload(changed=["identity/1"])
    assert repository.index()[1].reason == ""


def test_a_broken_new_version_does_not_become_the_default(repository: ModelRepository, tmp_path: Path) -> None:
    (tmp_path / "identity" / "2").mkdir()
    (tmp_path / "identity" / "2" / "model.onnx").write_bytes(b"half a fi")
    done = repository.reload()
    assert list(done.refused) == ["identity/2"]
    assert repository.get("identity").id == "identity/1"
    assert repository.index() == [
        IndexEntry("churn", "1", "READY", ""),
        IndexEntry("identity", "1", "READY", ""),
        IndexEntry("identity", "2", "UNAVAILABLE", inside(tmp_path, str(done.refused["identity/2"]))),
    ]
    with pytest.raises(ModelNotFound):
        repository.get("identity", 2)
    shutil.rmtree(tmp_path / "identity" / "2")
    repository.reload()
    assert len(repository.index()) == 2


def test_a_broken_card_is_refused_and_the_old_one_serves_on(repository: ModelRepository, tmp_path: Path) -> None:
    (tmp_path / "identity" / "card.json").write_text("{", encoding="utf-8")
    assert "not a valid model card" in str(repository.reload().refused["identity/1"])
    assert len(repository.get("identity").predict(ROW)["predictions"]) == 1


def test_an_empty_or_missing_folder_changes_nothing(repository: ModelRepository, tmp_path: Path) -> None:
    before = ids(repository)
    for name in ("identity", "churn"):
        shutil.rmtree(tmp_path / name)
    with pytest.raises(ModelError, match="no model found"):
        repository.reload()
    tmp_path.rmdir()
    with pytest.raises(ModelError, match="cannot be listed"):
        repository.reload()
    assert ids(repository) == before
    tmp_path.mkdir()


def test_unload_and_load(repository: ModelRepository, tmp_path: Path) -> None:
    add(tmp_path, "identity", version="2")
    repository.reload()
    repository.unload("identity")
    assert ids(repository) == ["churn/1"]
    with pytest.raises(ModelNotFound, match="no model 'identity'; available: churn/1"):
        repository.get("identity")
    assert repository.reload() == Reload()  # an unloaded model stays unloaded
    assert [entry.state for entry in repository.index()] == ["READY", "UNAVAILABLE", "UNAVAILABLE"]
    assert repository.index()[1].reason == "unloaded"
    assert repository.load("identity") == Reload(added=["identity/1", "identity/2"])
    assert ids(repository) == ["churn/1", "identity/1", "identity/2"]
    assert repository.load("identity") == Reload()
    repository.unload("identity")
    repository.unload("churn")
    assert repository.models == []
    with pytest.raises(ModelNotFound, match="available: none"):
        repository.get("churn")


def test_load_takes_a_new_model_and_leaves_the_others(repository: ModelRepository, tmp_path: Path) -> None:
    old = repository.get("churn")
    add(tmp_path, "identity", name="new")
    (tmp_path / "churn" / "1" / "model.onnx").write_bytes(b"")
    assert repository.load("new") == Reload(added=["new/1"])
    assert repository.get("churn") is old
    with pytest.raises(ModelError, match="cannot be loaded as a model"):
        repository.load("churn")
    assert repository.get("churn") is old


def test_load_says_which_versions_are_refused_and_takes_the_others(repository: ModelRepository, tmp_path: Path) -> None:
    add(tmp_path, "identity", version="3")
    (tmp_path / "identity" / "2").mkdir()
    (tmp_path / "identity" / "2" / "model.onnx").write_bytes(b"half a fi")
    with pytest.raises(ModelError) as refused:
        repository.load("identity")
    reason = str(refused.value)
    assert reason.startswith(os.path.join("identity", "2", "model.onnx") + ": cannot be loaded as a model")
    assert reason.endswith("(still served: identity/1, identity/3)")
    assert str(tmp_path) not in reason
    assert repository.get("identity").id == "identity/3"


def test_clients_see_no_folder_of_the_server_whatever_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "John Smith's models (x86)"
    add(folder, "churn")
    add(folder, "identity")
    repository = ModelRepository(folder)
    (folder / "identity" / "1" / "model.onnx").write_bytes(b"half a fi")
    with pytest.raises(ModelError) as refused:
        repository.load("identity")
    for text in (str(refused.value), repository.index()[1].reason):
        assert text.startswith(os.path.join("identity", "1", "model.onnx") + ": cannot be loaded as a model")
        assert not any(part in text for part in (str(tmp_path), "John", "Smith", "x86"))
    shutil.rmtree(folder / "churn")
    shutil.rmtree(folder / "identity")
    with pytest.raises(ModelError) as empty:
        repository.reload()
    assert repository.client_text(empty.value) == "no model found; expected <name>/<version>/model.onnx"


def test_the_index_tells_what_is_served_while_the_folder_is_away(repository: ModelRepository, tmp_path: Path) -> None:
    repository.unload("identity")
    away = tmp_path.rename(tmp_path.with_name("away"))
    assert repository.index() == [IndexEntry("churn", "1", "READY", "")]
    with pytest.raises(ModelError, match=r"^the models cannot be listed: "):
        repository.load("churn")
    away.rename(tmp_path)
    assert repository.load("identity") == Reload(added=["identity/1"])


def test_a_version_that_cannot_be_read_is_refused_with_the_reason(
    repository: ModelRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_file(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_file", is_file)
        done = repository.reload()
    assert str(done.refused["churn/1"]) == f"{tmp_path / 'churn' / '1'}: cannot be read: Permission denied"
    assert repository.get("churn").id == "churn/1"
    assert repository.reload() == Reload()


def inside(folder: Path, reason: str) -> str:
    """Return the reason without the path of the folder, as clients see it."""
    return reason.replace(f"{folder}{os.sep}", "")


@pytest.mark.parametrize("call", ["load", "unload"])
def test_an_unknown_name_can_neither_be_loaded_nor_unloaded(repository: ModelRepository, call: str) -> None:
    for name in ("house", "", "..", "../identity", "identity/1"):
        with pytest.raises(ModelNotFound):
            getattr(repository, call)(name)


def test_further_folders_are_served_too_as_far_as_their_names_are_free(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    add(first, "identity")
    add(second, "churn", name="identity")
    add(second, "churn")
    repository = ModelRepository(first, also=[second, tmp_path / "nowhere"])
    assert ids(repository) == ["churn/1", "identity/1"]
    assert repository.get("identity").path.is_relative_to(first)
    assert repository.reload() == Reload()


@pytest.mark.parametrize("rounds", [2, pytest.param(10, marks=pytest.mark.long)])
def test_no_request_is_dropped_while_versions_come_and_go(
    repository: ModelRepository, tmp_path: Path, rounds: int
) -> None:
    errors: list[BaseException] = []
    served: set[str] = set()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                served.add(repository.get("identity").predict(ROW)["model_version"])
                assert repository.get("identity", 1).version in repository.versions("identity")
            except BaseException as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(rounds):
        add(tmp_path, "identity", version="2")
        assert repository.reload().added == ["identity/2"]
        (tmp_path / "identity" / "1" / "model.onnx").touch()
        assert repository.reload().changed == ["identity/1"]
        shutil.rmtree(tmp_path / "identity" / "2")
        assert repository.reload().removed == ["identity/2"]
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert served == {"identity/1", "identity/2"}


# Models on demand


@pytest.fixture
def lazy(tmp_path: Path) -> ModelRepository:
    """A repository with churn/1, and with identity/1 and big/1 on demand."""
    add(tmp_path / "now", "churn")
    for name in ("identity", "big", "churn"):
        add(tmp_path / "later", "identity", name=name)
    return ModelRepository(tmp_path / "now", on_demand=[tmp_path / "later", tmp_path / "nowhere"])


def test_a_model_on_demand_is_loaded_when_it_is_asked_for(lazy: ModelRepository, tmp_path: Path) -> None:
    assert (ids(lazy), lazy.pending) == (["churn/1"], ["big", "identity"])
    assert lazy.get("churn").path.is_relative_to(tmp_path / "now")
    assert lazy.index()[0] == IndexEntry("big", "1", "UNAVAILABLE", "loaded at its first request")
    assert lazy.reload() == Reload()
    assert ids(lazy) == ["churn/1"]
    assert lazy.get("big").id == "big/1"
    assert (ids(lazy), lazy.pending) == (["big/1", "churn/1"], ["identity"])
    assert lazy.index()[0] == IndexEntry("big", "1", "READY", "")
    add(tmp_path / "later", "identity", name="big", version="2")
    assert lazy.reload() == Reload(added=["big/2"])
    assert lazy.load("identity") == Reload(added=["identity/1"])
    assert lazy.pending == []


def test_it_is_loaded_once_however_many_ask_at_once(lazy: ModelRepository) -> None:
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(lazy.get("big"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_a_version_that_is_not_there_is_not_found_on_demand_either(lazy: ModelRepository) -> None:
    with pytest.raises(ModelNotFound, match="no model 'big/2'; available: big/1"):
        lazy.get("big", 2)


def test_a_broken_model_on_demand_is_refused_when_it_is_asked_for(
    lazy: ModelRepository, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "later" / "big" / "1" / "model.onnx"
    good = path.read_bytes()
    path.write_bytes(b"half a fi")
    for _ in range(2):
        with pytest.raises(ModelNotFound):
            lazy.get("big")
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["model not loaded"]
    entry = lazy.index()[0]
    assert entry.state == "UNAVAILABLE"
    assert entry.reason.startswith(os.path.join("big", "1", "model.onnx: cannot be loaded as a model"))
    path.write_bytes(good)
    assert lazy.reload() == Reload()
    assert lazy.get("big").id == "big/1"


def test_what_waits_can_be_unloaded(lazy: ModelRepository) -> None:
    lazy.unload("big")
    assert lazy.pending == ["identity"]
    with pytest.raises(ModelNotFound):
        lazy.get("big")
    assert lazy.reload() == Reload()
    assert lazy.index()[0].reason == "unloaded"
    assert lazy.load("big") == Reload(added=["big/1"])


def test_models_on_demand_alone_are_none(tmp_path: Path) -> None:
    add(tmp_path / "later", "identity")
    (tmp_path / "now").mkdir()
    with pytest.raises(ModelError, match="no model found"):
        ModelRepository(tmp_path / "now", on_demand=[tmp_path / "later"])


def test_what_is_new_in_the_folder_is_in_the_index(repository: ModelRepository, tmp_path: Path) -> None:
    add(tmp_path, "identity", version="2")
    assert repository.index()[2] == IndexEntry("identity", "2", "UNAVAILABLE", "new, not loaded yet")
    repository.reload()
    assert repository.index()[2] == IndexEntry("identity", "2", "READY", "")


def test_a_model_is_loaded_whoever_has_left_meanwhile(repository: ModelRepository, tmp_path: Path) -> None:
    add_card(add(tmp_path, "churn", version="2"), "churn")
    with Work(0.0, lambda: True):
        assert repository.load("churn").added == ["churn/2"]


def test_what_is_on_demand_and_cannot_be_read_keeps_nobody_from_serving(
    lazy: ModelRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def find(directory: Path) -> list[ModelOnDisk]:
        if directory == tmp_path / "later":
            raise PermissionError(13, "Permission denied")
        return find_models(directory)

    monkeypatch.setattr("wsgi_core.inference.repository.find_models", find)
    repository = ModelRepository(tmp_path / "now", on_demand=[tmp_path / "later"])
    assert (ids(repository), repository.pending) == (["churn/1"], [])
    assert "Permission denied" in caplog.text
    with pytest.raises(PermissionError):
        ModelRepository(tmp_path / "now", also=[tmp_path / "later"])
