"""Which files belong to a version of a model, when the version has changed, and when its files are complete."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
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


class Clock:
    """Stands for the module `time`. It shows the time `age` seconds after the last change of a file.

    `monotonic` advances only while the code under test sleeps. At the beginning, and each time the code sleeps, a block
    of `whole` is written to the file in place, until all ten blocks are written.
    """

    def __init__(self, path: Path, whole: bytes = b"", age: float = 0.001) -> None:
        self.path, self.age = path, age
        size = -(-len(whole) // 10) or 1
        self.blocks = deque((start, whole[start : start + size]) for start in range(0, len(whole), size))
        self.slept: list[float] = []
        self.write()

    def write(self) -> None:
        if not self.blocks:
            return
        start, block = self.blocks.popleft()
        before = self.path.stat().st_mtime_ns
        with open(self.path, "r+b") as file:
            file.seek(start)
            file.write(block)
        os.utime(self.path, ns=(before, before + 1_000_000))  # some systems count the time in steps of milliseconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.write()

    def monotonic(self) -> float:
        return sum(self.slept)

    def time_ns(self) -> int:
        return self.path.stat().st_ctime_ns + int(self.age * 1e9)


def test_a_reload_waits_for_a_file_that_is_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = external(tmp_path / "demo" / "1", 1).parent / "data" / "weights.bin"
    repository = ModelRepository(tmp_path)
    clock = Clock(path, np.full(1 << 16, 7, np.float32).tobytes())
    monkeypatch.setattr(folders, "time", clock)
    assert repository.reload().changed == ["demo/1"]
    assert not clock.blocks
    assert set(repository.get("demo").infer(X)["y"]) == {7}


def test_a_file_that_is_written_for_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = add(tmp_path, "identity") / "1" / "weights.bin"
    path.write_bytes(bytes(1000))
    monkeypatch.setattr(folders, "MAX_WAIT", 0.3)
    clock = Clock(path, bytes(range(200)) * 5)
    monkeypatch.setattr(folders, "time", clock)
    with pytest.raises(ModelError, match="is still being written; reload the models when all files are complete"):
        wait_until_written(inspect_version(tmp_path / "identity", "1"))
    assert clock.blocks


def test_old_files_cost_no_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = add(tmp_path, "identity")
    clock = Clock(folder / "1" / "model.onnx", age=folders.STABLE_SECONDS + 0.1)
    monkeypatch.setattr(folders, "time", clock)
    found = inspect_version(folder, "1")
    assert wait_until_written(found) is found
    assert clock.slept == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has the time of creation in place of that of the change")
def test_a_changed_file_with_a_future_mtime_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = add(tmp_path, "identity") / "1" / "model.onnx"
    os.utime(path, (time.time() + 1000,) * 2)
    clock = Clock(path)
    monkeypatch.setattr(folders, "time", clock)
    wait_until_written(inspect_version(tmp_path / "identity", "1"))
    assert clock.slept == [folders.STABLE_SECONDS / 2]


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
