"""What lies in a model repository's folders, before any of it is loaded: names, versions, cards, fingerprints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import ModelError

CARD = "card.json"
MODEL = "model.onnx"

Fingerprint = tuple[tuple[str, int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One version on the disk. `problem` says why it can't be served, where that shows without loading it.

    `version` is empty for a model that has none.
    """

    name: str
    version: str
    path: Path
    card: Path | None
    fingerprint: Fingerprint
    problem: str = ""

    @property
    def id(self) -> str:
        """`churn/1`; of a model without a version its name alone."""
        return f"{self.name}/{self.version}" if self.version else self.name


def find_models(directory: Path) -> list[Found]:
    """Every version of every model below a folder, by name, the oldest version first.

    A version is a whole number from 1, as in Triton. Raises `ModelError` if the folder cannot be listed.
    """
    return [found for folder in subfolders(directory) for found in _versions(folder)]


def subfolders(directory: Path) -> list[Path]:
    """The subfolders by name, without hidden ones; raises `ModelError` if the folder cannot be listed."""
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        raise ModelError(f"{directory}: the models cannot be listed: {error.strerror}") from error
    return [entry for entry in entries if entry.is_dir() and entry.name[0] not in "._"]


def is_version(name: str) -> bool:
    """`1`, `12`; not `01`, not `old`."""
    return name.isascii() and name.isdecimal() and not name.startswith("0")


def _versions(folder: Path) -> Iterator[Found]:
    numbers = sorted(int(entry.name) for entry in subfolders(folder) if is_version(entry.name))
    if not numbers and (folder / CARD).exists():
        problem = f"{folder}: a card but no version; expected {folder.name}/1/{MODEL}"
        yield Found(folder.name, "", folder, folder / CARD, (), problem)
    for number in numbers:
        yield _version(folder, str(number))


def _version(folder: Path, version: str) -> Found:
    path = folder / version / MODEL
    try:
        card = next((card for card in (path.parent / CARD, folder / CARD) if card.exists()), None)
        problem = "" if path.is_file() else f"{path}: no such file; build the model or remove the folder"
        files = [*sorted(path.parent.iterdir()), *([card] if card else [])]
    except OSError as error:  # gone since the folder above was listed, or not for us to read
        return Found(folder.name, version, path, None, (), f"{path.parent}: cannot be read: {error.strerror}")
    return Found(folder.name, version, path, card, tuple(map(_stamp, files)), problem)


def _stamp(path: Path) -> tuple[str, int, int, int, int]:
    """What changes when a file is written anew or another is put in its place."""
    try:
        stat = path.stat()
    except OSError:  # gone since the folder was listed
        return path.name, 0, 0, 0, 0
    return path.name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
