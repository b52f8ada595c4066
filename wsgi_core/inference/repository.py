"""The models that a service has, in the folders that Triton uses too: `<name>/<version>/model.onnx`.

Beside the versions may stand `<name>/card.json`, which says what the model is and what it takes, and other
files, which are left alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .card import Card, read_card
from .errors import ModelError, ModelNotFound
from .model import Model
from .schema import MAX_ROWS

PACKAGE = Path(__file__).resolve().parent.parent


def default_models_dir() -> Path:
    """The models that come with the project: inside the package in a wheel, beside it in a checkout."""
    installed = PACKAGE / "_models"
    return installed if installed.is_dir() else PACKAGE.parent / "models"


class ModelRepository:
    """All models below a folder, loaded and warmed up: when this returns, they are ready.

    `directory` defaults to `default_models_dir()`; `max_rows` limits the batches of each model. Raises
    `ModelError` for a folder without models, a broken file, or a card that does not fit: a service
    that starts with half of its models would only be found out later.
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None, *, max_rows: int = MAX_ROWS) -> None:
        self.directory = Path(directory) if directory is not None else default_models_dir()
        self.models = [
            Model(folder.name, version, path, card, max_rows)
            for folder in _folders(self.directory)
            for card in [_find_card(folder)]
            for version, path in _versions(folder)
        ]
        if not self.models:
            raise ModelError(f"{self.directory}: no model here; expected <name>/<version>/model.onnx")
        # Versions ascend, so the newest of a name is what stays.
        self._newest = {model.name: model for model in self.models}
        self._by_id = {model.id: model for model in self.models}

    def get(self, name: str, version: str | int | None = None) -> Model:
        """A model by its name, the newest version unless one is asked for. Raises `ModelNotFound`."""
        model = self._newest.get(name) if version is None else self._by_id.get(f"{name}/{version}")
        if model is None:
            wanted = name if version is None else f"{name}/{version}"
            known = ", ".join(self._by_id)
            raise ModelNotFound(f"no model {wanted!r}; there is {known}")
        return model


def _folders(directory: Path) -> list[Path]:
    """The subfolders by name, without hidden ones; raises `ModelError` if the folder cannot be listed."""
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        raise ModelError(f"{directory}: the models cannot be listed: {error.strerror}") from error
    return [entry for entry in entries if entry.is_dir() and entry.name[0] not in "._"]


def _find_card(folder: Path) -> Card | None:
    """The card of a model, None if it has none; raises `ModelError` if it speaks of another model."""
    path = folder / "card.json"
    if not path.exists():
        return None
    card = read_card(path)
    if card.name != folder.name:
        raise ModelError(f"{path}: the card of {card.name!r} in the folder of {folder.name!r}")
    return card


def _versions(folder: Path) -> Iterator[tuple[str, Path]]:
    """Version and file of each version, oldest first. A version is a whole number from 1, as in Triton."""
    numbers = sorted(int(entry.name) for entry in _folders(folder) if _is_version(entry.name))
    if not numbers and (folder / "card.json").exists():
        raise ModelError(f"{folder}: a card but no version; expected {folder.name}/1/model.onnx")
    for number in numbers:
        path = folder / str(number) / "model.onnx"
        if not path.is_file():
            raise ModelError(f"{path}: no such file; build the model or remove the folder")
        yield str(number), path


def _is_version(name: str) -> bool:
    """`1`, `12`; not `01`, not `old`."""
    return name.isascii() and name.isdecimal() and not name.startswith("0")
