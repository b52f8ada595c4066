"""Which files belong to a version of a model, when the version has changed, and when its files are complete."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.inference.test_repository import add, add_card
from tests.inference.test_runtime import X, external
from wsgi_core.inference import ModelError, ModelRepository, folders
from wsgi_core.inference.folders import find_models, inspect_version, wait_until_written


def fingerprint(directory: Path) -> folders.Fingerprint:
    (found,) = find_models(directory)
    return found.fingerprint


@pytest.mark.parametrize(
    "file", ["model.onnx", "weights.bin", "data/weights.bin", "a/b/c", "card.json", "../card.json", "tokenizer.json"]
)
def test_every_file_of_a_version_counts(tmp_path: Path, file: str) -> None:
    version = add(tmp_path, "identity") / "1"
    path = version / file
    path.parent.mkdir(parents=True, exist_ok=True)
    before = fingerprint(tmp_path)
    if not path.exists():
        path.write_bytes(b"first")
        assert fingerprint(tmp_path) != before
        before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    stat = path.stat()
    with open(path, "r+b") as opened:  # overwritten in place, with the same size
        opened.write(b"other")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    assert fingerprint(tmp_path) != before
    path.unlink()
    assert fingerprint(tmp_path) != before


def test_files_beside_the_versions_do_not_count(tmp_path: Path) -> None:
    folder = add(tmp_path, "identity")
    before = fingerprint(tmp_path)
    (folder / "train.py").write_text("", encoding="utf-8")
    (folder / "data").mkdir()
    assert fingerprint(tmp_path) == before


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_links_are_followed_and_a_circle_ends(tmp_path: Path) -> None:
    """Kubernetes mounts volumes with symbolic links."""
    version = add(tmp_path / "models", "identity") / "1"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "weights.bin").write_bytes(b"1")
    (version / "data").symlink_to(tmp_path / "elsewhere")
    (version / "circle").symlink_to(version)
    (version / "dangling").symlink_to(tmp_path / "nowhere")
    before = fingerprint(tmp_path / "models")
    assert any("weights.bin" in name for name, *_ in before)
    (tmp_path / "elsewhere" / "weights.bin").write_bytes(b"22")
    assert fingerprint(tmp_path / "models") != before


def test_weights_that_are_overwritten_in_place_are_loaded(tmp_path: Path) -> None:
    external(tmp_path / "demo" / "1", 1)
    repository = ModelRepository(tmp_path)
    old = repository.get("demo")
    with open(tmp_path / "demo" / "1" / "data" / "weights.bin", "r+b") as file:
        file.write(np.full(1 << 16, 7, np.float32).tobytes())
    assert repository.reload().changed == ["demo/1"]
    assert set(repository.get("demo").infer(X)["y"]) == {7}
    assert set(old.infer(X)["y"]) == {1}


def test_weights_that_are_half_written_are_not_loaded(tmp_path: Path) -> None:
    path = external(tmp_path / "demo" / "1", 1).parent / "data" / "weights.bin"
    repository = ModelRepository(tmp_path)
    whole = np.full(1 << 16, 7, np.float32).tobytes()
    path.write_bytes(whole[: len(whole) // 2])
    done = repository.reload()
    assert list(done.refused) == ["demo/1"]
    assert set(repository.get("demo").infer(X)["y"]) == {1}
    path.write_bytes(whole)
    assert repository.reload().changed == ["demo/1"]


class Writer(threading.Thread):
    """A thread that overwrites a file in place, block by block. `finished` is the time of its end."""

    def __init__(self, path: Path, whole: bytes, seconds: float) -> None:
        super().__init__()
        self.path, self.whole, self.pause = path, whole, seconds / 10
        self.finished = 0.0

    def run(self) -> None:
        size = -(-len(self.whole) // 10)
        with open(self.path, "r+b", buffering=0) as file:
            for start in range(0, len(self.whole), size):
                file.write(self.whole[start : start + size])
                time.sleep(self.pause)
        self.finished = time.monotonic()


def test_a_reload_waits_for_a_file_that_is_being_written(tmp_path: Path) -> None:
    path = external(tmp_path / "demo" / "1", 1).parent / "data" / "weights.bin"
    repository = ModelRepository(tmp_path)
    writer = Writer(path, np.full(1 << 16, 7, np.float32).tobytes(), 1.0)
    writer.start()
    time.sleep(0.15)
    assert repository.reload().changed == ["demo/1"]
    writer.join()
    assert set(repository.get("demo").infer(X)["y"]) == {7}


def test_a_file_that_is_written_for_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = add(tmp_path, "identity") / "1" / "weights.bin"
    path.write_bytes(bytes(1000))
    monkeypatch.setattr(folders, "MAX_WAIT", 0.3)
    writer = Writer(path, bytes(range(200)) * 5, 1.0)
    writer.start()
    time.sleep(0.1)
    with pytest.raises(ModelError, match="is still being written; reload the models when all files are complete"):
        wait_until_written(inspect_version(tmp_path / "identity", "1"))
    writer.join()


def test_old_files_cost_no_waiting(tmp_path: Path) -> None:
    folder = add(tmp_path, "identity")
    time.sleep(folders.STABLE_SECONDS + 0.1)
    found = inspect_version(folder, "1")
    begun = time.monotonic()
    assert wait_until_written(found) is found
    assert time.monotonic() - begun < 0.1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has the time of creation in place of that of the change")
def test_a_changed_file_with_a_future_mtime_is_waited_for(tmp_path: Path) -> None:
    folder = add(tmp_path, "identity")
    os.utime(folder / "1" / "model.onnx", (time.time() + 1000,) * 2)
    begun = time.monotonic()
    wait_until_written(inspect_version(folder, "1"))
    assert time.monotonic() - begun >= folders.STABLE_SECONDS / 2


def test_a_version_that_changes_while_it_is_loaded_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = add(tmp_path, "identity")
    add_card(folder, "identity")
    repository = ModelRepository(tmp_path)
    add(tmp_path, "identity", version="2")

    def written_meanwhile(found: folders.ModelOnDisk) -> folders.ModelOnDisk:
        (found.path.parent / "late.bin").write_bytes(b"1")
        return found

    monkeypatch.setattr("wsgi_core.inference.repository.wait_until_written", written_meanwhile)
    done = repository.reload()
    assert "changed while it was loaded" in str(done.refused["identity/2"])
    assert repository.get("identity").version == "1"
