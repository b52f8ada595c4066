"""The folders of a model repository. This module finds the models, versions and cards, but does not load them.

The fingerprint of a version consists of the stamps of its files and of its card. A stamp is the name, size, mtime,
ctime and inode of a file. A reload loads a version again if the fingerprint has changed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import ModelError

CARD = "card.json"
MODEL = "model.onnx"

STABLE_SECONDS = 0.5
"""A file that changed within this many seconds may be incomplete, because a process may still be writing the file."""
MAX_WAIT = 5.0
"""The longest time in seconds to wait until the files of a version stop changing."""

Stamp = tuple[str, int, int, int, int]
Fingerprint = tuple[Stamp, ...]


@dataclass(frozen=True, slots=True)
class ModelOnDisk:
    """One version of a model on the disk.

    version: the version, or an empty string if the model has a card but no version
    path: the path of model.onnx, or the folder of the model if there is no version
    card: the path of the card, or None if there is no card or the version cannot be read
    problem: the reason why the version cannot be served, or None if no problem is known before loading
    """

    name: str
    version: str
    path: Path
    card: Path | None
    fingerprint: Fingerprint
    problem: ModelError | None = None

    @property
    def id(self) -> str:
        """The name and the version, such as `churn/1`. If there is no version, only the name."""
        return f"{self.name}/{self.version}" if self.version else self.name


def find_models(directory: Path) -> list[ModelOnDisk]:
    """Return all versions of all models in `directory`, sorted by name and then by version number.

    Folders whose name begins with a dot or an underscore are skipped. If a model has a card but no version, the list
    contains one entry with a `problem`. Raises `ModelError` if `directory` or a model's folder cannot be listed.
    """
    folders = [folder for folder in subfolders(directory) if not is_hidden(folder)]
    return [found for folder in folders for found in _versions(folder)]


def subfolders(directory: Path) -> list[Path]:
    """Return the subfolders, sorted by name, without `__pycache__`.

    Raises `ModelError` if the folder cannot be listed.
    """
    try:
        return sorted(entry for entry in directory.iterdir() if entry.is_dir() and entry.name != "__pycache__")
    except OSError as error:
        raise ModelError(f"the models cannot be listed: {error.strerror}", directory) from error


def is_hidden(folder: Path) -> bool:
    """Return whether the name of a folder begins with a dot or an underscore."""
    return folder.name[0] in "._"


def is_version(name: str) -> bool:
    """Return whether `name` is a whole number from 1, without leading zeros."""
    return name.isascii() and name.isdecimal() and not name.startswith("0")


def _versions(folder: Path) -> Iterator[ModelOnDisk]:
    numbers = sorted(int(entry.name) for entry in subfolders(folder) if is_version(entry.name))
    if not numbers and (folder / CARD).exists():
        problem = ModelError(f"has a card but no version; expected {folder.name}/1/{MODEL}", folder)
        yield ModelOnDisk(folder.name, "", folder, folder / CARD, (), problem)
    for number in numbers:
        yield inspect_version(folder, str(number))


def inspect_version(folder: Path, version: str) -> ModelOnDisk:
    """Return the current state of one version. `folder` is the folder of the model."""
    path = folder / version / MODEL
    try:
        card = next((card for card in (path.parent / CARD, folder / CARD) if card.exists()), None)
        problem = None if path.is_file() else ModelError("no such file; build the model or remove the folder", path)
        stamps = *_stamps(path.parent), *([_stamp(card, folder)] if card else [])
    except OSError as error:  # the version was removed after the folder was listed, or is not readable
        unreadable = ModelError(f"cannot be read: {error.strerror}", path.parent)
        return ModelOnDisk(folder.name, version, path, None, (), unreadable)
    return ModelOnDisk(folder.name, version, path, card, stamps, problem)


def wait_until_written(found: ModelOnDisk) -> ModelOnDisk:
    """Wait until the files of a version stop changing, and return the current state of the version.

    If no file has changed within `STABLE_SECONDS`, return `found` at once. Raises `ModelError` if files still change
    after `MAX_WAIT` seconds.
    """
    end = time.monotonic() + MAX_WAIT
    while _is_fresh(found.fingerprint):
        if time.monotonic() > end:
            raise ModelError("is still being written; reload the models when all files are complete", found.path.parent)
        time.sleep(STABLE_SECONDS / 2)
        again = inspect_version(found.path.parents[1], found.version)
        if again.fingerprint == found.fingerprint:
            break
        found = again
    return found


def _is_fresh(fingerprint: Fingerprint) -> bool:
    """Return whether the mtime or the ctime of any file in `fingerprint` is less than `STABLE_SECONDS` ago.

    A time in the future is ignored, because the file can come from a machine whose clock is ahead.
    """
    now = time.time_ns()
    times = (at for _, _, mtime, ctime, _ in fingerprint for at in (mtime, ctime))
    return any(0 <= now - at < STABLE_SECONDS * 1e9 for at in times)


def _stamps(folder: Path) -> Iterator[Stamp]:
    """Yield the stamp of every file below a folder, in a fixed order.

    Symbolic links to folders are followed, but each folder is read only once. Raises OSError if a folder cannot be
    read.
    """
    seen: set[str] = set()
    for parent, names, files in os.walk(folder, followlinks=True, onerror=_raise):
        real = os.path.realpath(parent)
        if real in seen:  # a symbolic link makes a cycle, or leads to a folder that was read already
            names.clear()
            continue
        seen.add(real)
        names.sort()
        for name in sorted(files):
            yield _stamp(Path(parent, name), folder)


def _raise(error: OSError) -> None:
    raise error


def _stamp(path: Path, folder: Path) -> Stamp:
    """Return the stamp of a file. The name in the stamp is the path relative to `folder`.

    If the stat call fails, all numbers are 0.
    """
    name = os.path.relpath(path, folder)
    try:
        stat = path.stat()
    except OSError:  # the file was removed after the folder was listed, or is a broken symbolic link
        return name, 0, 0, 0, 0
    return name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
