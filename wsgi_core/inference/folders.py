"""The folders of a model repository before anything in them is loaded: names, versions, cards, fingerprints."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import ModelError

CARD = "card.json"
MODEL = "model.onnx"

SETTLED = 0.5
"""A file that was written in the last seconds may still be written to."""
MAX_WAIT = 5.0
"""How many seconds to wait for files to be written."""

Stamp = tuple[str, int, int, int, int]
Fingerprint = tuple[Stamp, ...]


@dataclass(frozen=True, slots=True)
class ModelOnDisk:
    """One version on the disk. `problem` says why it cannot be served, if that shows without loading it.

    `version` is empty for a model that has none.
    """

    name: str
    version: str
    path: Path
    card: Path | None
    fingerprint: Fingerprint
    problem: ModelError | None = None

    @property
    def id(self) -> str:
        """The name with the version, `churn/1`; without a version the name alone."""
        return f"{self.name}/{self.version}" if self.version else self.name


def find_models(directory: Path) -> list[ModelOnDisk]:
    """Return every version of every model below a folder, by name, the oldest version first.

    A version is a whole number from 1, as in Triton. Raises `ModelError` if the folder cannot be listed.
    """
    folders = [folder for folder in subfolders(directory) if not is_hidden(folder)]
    return [found for folder in folders for found in _versions(folder)]


def subfolders(directory: Path) -> list[Path]:
    """Return the subfolders by name. Raises `ModelError` if the folder cannot be listed."""
    try:
        return sorted(entry for entry in directory.iterdir() if entry.is_dir())
    except OSError as error:
        raise ModelError(f"the models cannot be listed: {error.strerror}", directory) from error


def is_hidden(folder: Path) -> bool:
    """Tell whether a folder is passed over because of its name."""
    return folder.name[0] in "._"


def is_version(name: str) -> bool:
    """Tell whether a folder's name is a version: `1`, `12`; not `01`, not `old`."""
    return name.isascii() and name.isdecimal() and not name.startswith("0")


def _versions(folder: Path) -> Iterator[ModelOnDisk]:
    numbers = sorted(int(entry.name) for entry in subfolders(folder) if is_version(entry.name))
    if not numbers and (folder / CARD).exists():
        problem = ModelError(f"a card but no version; expected {folder.name}/1/{MODEL}", folder)
        yield ModelOnDisk(folder.name, "", folder, folder / CARD, (), problem)
    for number in numbers:
        yield look_at_version(folder, str(number))


def look_at_version(folder: Path, version: str) -> ModelOnDisk:
    """Return what a model's folder has of one version now."""
    path = folder / version / MODEL
    try:
        card = next((card for card in (path.parent / CARD, folder / CARD) if card.exists()), None)
        problem = None if path.is_file() else ModelError("no such file; build the model or remove the folder", path)
        stamps = *_stamps(path.parent), *([_stamp(card, folder)] if card else [])
    except OSError as error:  # removed since the folder was listed, or not readable
        unreadable = ModelError(f"cannot be read: {error.strerror}", path.parent)
        return ModelOnDisk(folder.name, version, path, None, (), unreadable)
    return ModelOnDisk(folder.name, version, path, card, stamps, problem)


def wait_until_written(found: ModelOnDisk) -> ModelOnDisk:
    """Return the version once its files have stopped changing.

    Files that are older than `SETTLED` cost no time. Raises `ModelError` if they still change after `MAX_WAIT`.
    """
    end = time.monotonic() + MAX_WAIT
    while _is_fresh(found.fingerprint):
        if time.monotonic() > end:
            raise ModelError("is still being written; reload the models when it is complete", found.path.parent)
        time.sleep(SETTLED / 2)
        again = look_at_version(found.path.parents[1], found.version)
        if again.fingerprint == found.fingerprint:
            break
        found = again
    return found


def _is_fresh(fingerprint: Fingerprint) -> bool:
    """Tell whether a file was written just now; a time in the future, from another machine's clock, is not."""
    now = time.time_ns()
    return any(0 <= now - max(changed, created) < SETTLED * 1e9 for _, _, changed, created, _ in fingerprint)


def _stamps(folder: Path) -> Iterator[Stamp]:
    """Yield a stamp of every file below a folder, in the order of their names. Links to folders are followed."""
    seen: set[str] = set()
    for parent, names, files in os.walk(folder, followlinks=True, onerror=_raise):
        real = os.path.realpath(parent)
        if real in seen:  # a link that leads back
            names.clear()
            continue
        seen.add(real)
        names.sort()
        for name in sorted(files):
            yield _stamp(Path(parent, name), folder)


def _raise(error: OSError) -> None:
    raise error


def _stamp(path: Path, folder: Path) -> Stamp:
    """Return what changes when a file is written again or another file takes its place."""
    name = os.path.relpath(path, folder)
    try:
        stat = path.stat()
    except OSError:  # removed since the folder was listed
        return name, 0, 0, 0, 0
    return name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
