"""The models of a service, loaded from folders with the layout of Triton: `<name>/<version>/model.onnx`.

A card is `<name>/card.json`, or `<name>/<version>/card.json` for a single version. An on-demand model is loaded at its
first request. Until then, the model is pending.

`reload`, `load` and `unload` replace the table of loaded models, so requests need no lock to find a loaded model.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .bundled import bundled_folder
from .card import read_card
from .errors import ModelError, ModelNotFound
from .folders import MODEL, Fingerprint, ModelOnDisk, find_models, inspect_version, wait_until_written
from .model import Model
from .runtime import without_paths
from .schema import MAX_ROWS
from .settings import DEFAULTS, RuntimeSettings

log = logging.getLogger(__name__)


def default_models_dir() -> Path:
    """Return the folder of the models that come with the project."""
    return bundled_folder("models")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One version in the index of a repository.

    version: the version, or an empty string if the model has a card but no version
    state: `READY` if the version is served, otherwise `UNAVAILABLE`
    reason: why the version is not served; for a `READY` version, why its changed files were not loaded, or empty
    """

    name: str
    version: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reload:
    """The result of a reload: the ids of versions, such as `churn/2`.

    `refused` maps the id of each version that could not be loaded to the error.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: dict[str, ModelError] = field(default_factory=dict)


class _Table:
    """The loaded models, sorted by name and then by version number. A table is not changed after its creation."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = sorted(models, key=lambda model: (model.name, int(model.version)))
        # Versions are in ascending order, so the newest version of each name overwrites the older versions.
        self.newest = {model.name: model for model in self.models}
        self.by_id = {model.id: model for model in self.models}


class ModelRepository:
    """The models in one or more folders. The constructor loads all models, except on-demand models.

    directory: the main folder; by default `default_models_dir()`
    also: further folders
    on_demand: further folders; each model in these folders is loaded at its first request
    max_rows: the largest number of rows in a JSON batch, unless the card sets a lower limit
    settings: the runtime settings of all models
    own_settings: maps the names of models to settings that override `settings`

    Further folders need not exist. If several folders contain a model of the same name, `directory` takes precedence,
    then `also`. The constructor raises `ModelError` if a model in `directory` or `also` cannot be served, or if these
    folders contain no model. It also raises `ModelError` if one of these folders cannot be read, or if `own_settings`
    names an unknown model.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        also: Iterable[str | os.PathLike[str]] = (),
        on_demand: Iterable[str | os.PathLike[str]] = (),
        max_rows: int = MAX_ROWS,
        settings: RuntimeSettings = DEFAULTS,
        own_settings: Mapping[str, RuntimeSettings] | None = None,
    ) -> None:
        self.directory = Path(directory) if directory is not None else default_models_dir()
        self._on_demand_folders = [*map(Path, on_demand)]
        self._directories = [self.directory, *map(Path, also), *self._on_demand_folders]
        self._max_rows = max_rows
        self._settings = settings
        self._own_settings = own_settings or {}
        self._change = threading.Lock()
        self._unloaded: set[str] = set()
        # _pending: the versions of each on-demand model that is not loaded yet, by name of the model.
        # _on_demand: the names of all models that have ever been pending.
        self._pending: dict[str, list[ModelOnDisk]] = {}
        self._on_demand: frozenset[str] = frozenset()
        self._refused: dict[str, ModelError] = {}
        self._fingerprints: dict[str, Fingerprint] = {}
        self._table = _Table([])
        done = self._reload()
        for error in done.refused.values():
            raise error
        self._check_own_settings()

    @property
    def models(self) -> list[Model]:
        """All versions that are served, sorted by name and then by version number."""
        return self._table.models

    @property
    def pending(self) -> list[str]:
        """The names of the on-demand models that are not loaded yet.

        An unloaded model is left out. A model that could not be loaded is left out until the next `reload`.
        """
        return sorted(self._pending)

    def get(self, name: str, version: str | int | None = None) -> Model:
        """Return a version of a model. If `version` is None, return the version with the highest number.

        The first call for an on-demand model loads the model. Raises `ModelNotFound` if the version is not served.
        """
        model = self.find(name, version)
        if model is None:
            wanted = name if version is None else f"{name}/{version}"
            raise ModelNotFound(f"no model {wanted!r}; available: {', '.join(self._table.by_id) or 'none'}")
        return model

    def find(self, name: str, version: str | int | None = None) -> Model | None:
        """Return the model that `get` returns, or None if `get` would raise `ModelNotFound`."""
        model = self._served(name, version)
        if model is None and name in self._on_demand:
            self._load_pending(name)
            model = self._served(name, version)
        return model

    def _served(self, name: str, version: str | int | None = None) -> Model | None:
        table = self._table
        return table.newest.get(name) if version is None else table.by_id.get(f"{name}/{version}")

    def _load_pending(self, name: str) -> None:
        """Load an on-demand model, unless another thread has already tried to load the model."""
        with self._change:
            found = self._pending.pop(name, None)
            if found:
                done = self._replace(found, {name})
                for error in done.refused.values():
                    log.warning("model not loaded: %s", error)

    def versions(self, name: str) -> list[str]:
        """Return the served versions of a model in ascending order. If the model is not served, return []."""
        return [model.version for model in self._table.models if model.name == name]

    def index(self) -> list[IndexEntry]:
        """Return an entry for each version that is served, is in a folder, or could not be loaded.

        The entries are sorted by name and then by version number, and contain no absolute path. If a folder cannot be
        read, versions that are not loaded may be missing.
        """
        with self._change:
            served = self._table.by_id
            try:
                found = self._scan()
            except ModelError:
                found = []
            reasons = {each.id: self._unserved_reason(each.name) for each in found if each.id not in served}
            refused = {key: self.client_text(error) for key, error in self._refused.items()}
            reasons = {**dict.fromkeys(served, ""), **reasons, **refused}
        parts = sorted((key.partition("/")[::2] for key in reasons), key=lambda part: (part[0], int(part[1] or 0)))
        entries = [(name, version, f"{name}/{version}" if version else name) for name, version in parts]
        return [
            IndexEntry(name, version, "READY" if key in served else "UNAVAILABLE", reasons[key])
            for name, version, key in entries
        ]

    def _unserved_reason(self, name: str) -> str:
        """Return the reason why a version of the model `name` is on the disk but not served."""
        if name in self._unloaded:
            return "unloaded"
        return "loaded at its first request" if name in self._pending else "new, not loaded yet"

    def reload(self) -> Reload:
        """Load new and changed versions from the folders, and stop serving versions that were removed.

        If the changed files of a version cannot be loaded, the old model is still served. Unloaded models stay
        unloaded, and pending models stay pending. Requests in progress keep the model that they use.

        Raises `ModelError` and changes nothing if `directory` or a folder in `also` cannot be read, or if no models
        except pending models are found.
        """
        return self._reload(wait=True)

    def _reload(self, wait: bool = False) -> Reload:
        with self._change:
            pending, found = self._split_pending(self._scan())
            if not found:
                raise ModelError(f"no model found; expected <name>/<version>/{MODEL}", self.directory)
            self._pending = {name: versions for name, versions in pending.items() if name not in self._unloaded}
            self._on_demand |= pending.keys()
            names = {each.name for each in found} | {model.name for model in self.models}
            return self._replace(found, names - self._unloaded, wait)

    def load(self, name: str) -> Reload:
        """Load or reload all versions of a model, even if the model was unloaded before.

        If the changed files of a version cannot be loaded, the old model is still served, and the other versions are
        loaded.

        Raises `ModelNotFound` if no folder contains the model. Raises `ModelError` if a version cannot be loaded, or if
        `directory` or a folder in `also` cannot be read. The message contains no absolute path, because the service
        sends the message to clients.
        """
        with self._change:
            try:
                found = [each for each in self._scan() if each.name == name]
            except ModelError as error:
                raise ModelError(self.client_text(error)) from error
            if not found:
                raise ModelNotFound(f"no model {name!r} in the repository")
            self._unloaded.discard(name)
            self._pending.pop(name, None)
            done = self._replace(found, {name}, wait=True)
        if done.refused:
            served = ", ".join(f"{name}/{version}" for version in self.versions(name)) or "none"
            raise ModelError(f"{'; '.join(map(self.client_text, done.refused.values()))} (still served: {served})")
        return done

    def unload(self, name: str) -> None:
        """Stop serving all versions of a model. `load` loads the model again, but `reload` does not.

        Raises `ModelNotFound` if the model is neither served nor pending.
        """
        with self._change:
            if not self._pending.pop(name, None) and not self._served(name):
                raise ModelNotFound(f"no model {name!r} is served")
            self._unloaded.add(name)
            self._replace([], {name})

    def client_text(self, error: ModelError) -> str:
        """Return the message of an error for clients, without absolute paths.

        `error.path` becomes relative to its models folder. Any other absolute path is cut to its last component.
        """
        reason = without_paths(error.reason)
        if error.path is None or error.path in self._directories:
            return reason
        for directory in self._directories:
            if error.path.is_relative_to(directory):
                return f"{error.path.relative_to(directory)}: {reason}"
        return f"{error.path.name}: {reason}"

    def _scan(self) -> list[ModelOnDisk]:
        """Return the versions in all folders.

        If two folders have a model of the same name, the first folder takes precedence.
        """
        found: list[ModelOnDisk] = []
        for directory in self._directories:
            taken = {each.name for each in found}
            found += [each for each in self._scan_directory(directory) if each.name not in taken]
        return found

    def _scan_directory(self, directory: Path) -> list[ModelOnDisk]:
        """Return the versions in one folder. If a folder other than `self.directory` does not exist, return [].

        If a folder of on-demand models cannot be read, log a warning and return []. Such a folder can be in a home
        folder, which services are often not allowed to read.
        """
        if directory is not self.directory and not os.path.isdir(directory):
            return []
        try:
            return find_models(directory)
        except (ModelError, OSError) as error:
            if directory not in self._on_demand_folders:
                raise
            log.warning("models folder skipped: %s", error)
            return []

    def _split_pending(self, found: list[ModelOnDisk]) -> tuple[dict[str, list[ModelOnDisk]], list[ModelOnDisk]]:
        """Return the pending versions by model name, and a list of all other versions.

        A version is pending if it is in an on-demand folder and no version of its model is loaded.
        """
        served, folders = self._table.newest, self._on_demand_folders
        pending: dict[str, list[ModelOnDisk]] = {}
        for each in found:
            if each.name not in served and any(each.path.is_relative_to(folder) for folder in folders):
                pending.setdefault(each.name, []).append(each)
        return pending, [each for each in found if each.name not in pending]

    def _replace(self, found: list[ModelOnDisk], names: set[str], wait: bool = False) -> Reload:
        """Serve the versions in `found` instead of the served versions, but only for the models in `names`.

        If the changed files of a version cannot be loaded, the old model is still served. If `wait` is true, wait until
        the files of a version stop changing. The caller must hold `self._change`.
        """
        done = Reload()
        before = {model.id: model for model in self.models if model.name in names}
        chosen = [each for each in found if each.name in names]
        now = {each.id: self._load_if_changed(each, before.get(each.id), done, wait) for each in chosen}
        done.removed.extend(key for key in before if key not in now)
        self._refused = {
            **{key: reason for key, reason in self._refused.items() if key.partition("/")[0] not in names},
            **done.refused,
        }
        others = (model for model in self.models if model.name not in names)
        self._table = _Table([*others, *filter(None, now.values())])
        return done

    def _load_if_changed(self, found: ModelOnDisk, old: Model | None, done: Reload, wait: bool) -> Model | None:
        """Load a version and return the model. If its files have not changed or cannot be loaded, return `old`.

        `old` is the model that is served now, or None. If the version is loaded or fails to load, its id is added to
        `done`.
        """
        if old is not None and self._fingerprints[found.id] == found.fingerprint:
            return old
        try:
            found = wait_until_written(found) if wait else found
            model = load_model(found, self._max_rows, self._settings.overridden(self._own_settings.get(found.name)))
        except ModelError as error:
            done.refused[found.id] = error
            return old
        for warning in model.warnings:
            log.warning("%s: %s", model.id, warning)
        (done.added if old is None else done.changed).append(found.id)
        self._fingerprints[found.id] = found.fingerprint
        return model

    def _check_own_settings(self) -> None:
        """Raise `ModelError` if there are settings for a model that is not in the repository."""
        known = {model.name for model in self.models} | self._pending.keys()
        for name in sorted(self._own_settings.keys() - known):
            raise ModelError(f"model_settings: there is no model {name!r}; available: {', '.join(sorted(known))}")


def load_model(found: ModelOnDisk, max_rows: int = MAX_ROWS, settings: RuntimeSettings = DEFAULTS) -> Model:
    """Load a version from the disk. Raises `ModelError` if the version cannot be served."""
    if found.problem:
        raise found.problem
    card = read_card(found.card) if found.card else None
    if card and card.name != found.name:
        raise ModelError(
            f"the card has the name {card.name!r}, but the folder of the model has the name {found.name!r}", found.card
        )
    model = Model(found.name, found.version, found.path, card, max_rows, settings)
    if inspect_version(found.path.parents[1], found.version).fingerprint != found.fingerprint:
        raise ModelError(
            "changed while it was loaded; reload the models when all files are complete", found.path.parent
        )
    return model
