"""The models that a service has, in the folders that Triton uses too: `<name>/<version>/model.onnx`.

Beside the versions may be `<name>/card.json`, which says what the model is and what it takes. A version that differs
has its own, `<name>/<version>/card.json`. Other files are ignored.

The models that are served are one immutable table. A request takes a model out of it without a lock and keeps it until
its end. `reload`, `load` and `unload` build another table and put it in place of the old one.
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
from .folders import MODEL, Fingerprint, ModelOnDisk, find_models, look_at_version, wait_until_written
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
    """One version in the index: state `READY` or `UNAVAILABLE`, and the reason for the latter.

    A `READY` version with a reason is served as it was loaded, while its newer file is refused.
    """

    name: str
    version: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reload:
    """The result of a reload, by id (`churn/2`). `refused` has the error for each version that is not served anew."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: dict[str, ModelError] = field(default_factory=dict)


class _Table:
    """Models by name and by id, in the order of the index. Never changed once it is made."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = sorted(models, key=lambda model: (model.name, int(model.version)))
        # Versions ascend, so the newest of a name is what stays.
        self.newest = {model.name: model for model in self.models}
        self.by_id = {model.id: model for model in self.models}


class ModelRepository:
    """All models below a folder, loaded and warmed up: when the constructor returns, they are ready.

    directory: by default `default_models_dir()`
    also: folders of the same shape, whose models are served too unless their names are taken
    on_demand: the same, but each model is loaded with its first request
    max_rows: the largest batch of each model
    settings, own_settings: how models are run, and what single models have instead, by name

    Raises `ModelError` for a folder without models, a broken file, or a card that does not fit. A service that starts
    with half of its models would only be found out later.
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
        self._lazy = [*map(Path, on_demand)]
        self._directories = [self.directory, *map(Path, also), *self._lazy]
        self._max_rows = max_rows
        self._settings = settings
        self._own_settings = own_settings or {}
        self._change = threading.Lock()
        self._unloaded: set[str] = set()
        # The models that wait for their first request, by name; and the names of all that ever did.
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
        """The models that are served, by name and version ascending."""
        return self._table.models

    @property
    def pending(self) -> list[str]:
        """The names of the models on demand that are not loaded yet."""
        return sorted(self._pending)

    def get(self, name: str, version: str | int | None = None) -> Model:
        """Return a model by its name, the newest version unless one is named. Raises `ModelNotFound`.

        The first request for a model on demand waits until it is loaded, and so do the requests that come meanwhile.
        """
        model = self.find(name, version)
        if model is None:
            wanted = name if version is None else f"{name}/{version}"
            raise ModelNotFound(f"no model {wanted!r}; there is {', '.join(self._table.by_id) or 'none'}")
        return model

    def find(self, name: str, version: str | int | None = None) -> Model | None:
        """Return a model as `get` does, or None if there is none."""
        model = self._served(name, version)
        if model is None and name in self._on_demand:
            self._load_pending(name)
            model = self._served(name, version)
        return model

    def _served(self, name: str, version: str | int | None = None) -> Model | None:
        table = self._table
        return table.newest.get(name) if version is None else table.by_id.get(f"{name}/{version}")

    def _load_pending(self, name: str) -> None:
        """Load a model on demand, unless another request has loaded it meanwhile, or it was refused then."""
        with self._change:
            found = self._pending.pop(name, None)
            if found:
                done = self._take(found, {name})
                for error in done.refused.values():
                    log.warning("refused: %s", error)

    def versions(self, name: str) -> list[str]:
        """Return the versions of a model that are served, ascending; none for a name that is unknown."""
        return [model.version for model in self._table.models if model.name == name]

    def index(self) -> list[IndexEntry]:
        """Return every version that is served, was refused, or is in the folder without being served, by name.

        Clients read this, so it has no path of the machine. If the folder cannot be read, the versions that are only
        there are missing.
        """
        with self._change:
            served = self._table.by_id
            try:
                found = self._look()
            except ModelError:
                found = []
            reasons = {each.id: self._why_not(each.name) for each in found if each.id not in served}
            refused = {key: self.inside(error) for key, error in self._refused.items()}
            reasons = {**dict.fromkeys(served, ""), **reasons, **refused}
        parts = sorted((key.partition("/")[::2] for key in reasons), key=lambda part: (part[0], int(part[1] or 0)))
        entries = [(name, version, f"{name}/{version}" if version else name) for name, version in parts]
        return [
            IndexEntry(name, version, "READY" if key in served else "UNAVAILABLE", reasons[key])
            for name, version, key in entries
        ]

    def _why_not(self, name: str) -> str:
        """Say why a version in the folder is not served, if it was never loaded."""
        if name in self._unloaded:
            return "unloaded"
        return "loaded with its first request" if name in self._pending else "new, not loaded yet"

    def reload(self) -> Reload:
        """Look at the folder again: load what is new or has changed, drop what is no longer there.

        A broken version is refused, and the version that was served before goes on serving. Models that were unloaded
        stay unloaded, and models on demand without a request stay pending. Requests that are running keep the model
        that they have. Raises `ModelError`, and changes nothing, if the folder cannot be read or has no model.
        """
        return self._reload(wait=True)

    def _reload(self, wait: bool = False) -> Reload:
        with self._change:
            pending, found = self._part(self._look())
            if not found:
                raise ModelError(f"no model here; expected <name>/<version>/{MODEL}", self.directory)
            self._pending = {name: versions for name, versions in pending.items() if name not in self._unloaded}
            self._on_demand |= pending.keys()
            names = {each.name for each in found} | {model.name for model in self.models}
            return self._take(found, names - self._unloaded, wait)

    def load(self, name: str) -> Reload:
        """Load one model, or look at it again: all its versions, also after `unload`.

        Raises `ModelNotFound` if there is no such folder, `ModelError` with the reasons if one of its versions cannot
        be served as it is: the other versions are loaded all the same, and a version that was served before goes on
        serving. Clients may ask for this: the error has no path of the machine.
        """
        with self._change:
            try:
                found = [each for each in self._look() if each.name == name]
            except ModelError as error:
                raise ModelError(self.inside(error)) from error
            if not found:
                raise ModelNotFound(f"no model {name!r} in the repository")
            self._unloaded.discard(name)
            self._pending.pop(name, None)
            done = self._take(found, {name}, wait=True)
        if done.refused:
            served = ", ".join(f"{name}/{version}" for version in self.versions(name)) or "none"
            raise ModelError(f"{'; '.join(map(self.inside, done.refused.values()))} (served of it: {served})")
        return done

    def unload(self, name: str) -> None:
        """Stop serving a model, in all its versions, until it is loaded again. Raises `ModelNotFound`."""
        with self._change:
            if not self._pending.pop(name, None) and not self._served(name):
                raise ModelNotFound(f"no model {name!r} is served")
            self._unloaded.add(name)
            self._take([], {name})

    def inside(self, error: ModelError) -> str:
        """Return the error as a client may see it: its path begins inside of the repository."""
        reason = without_paths(error.reason)
        if error.path is None or error.path in self._directories:
            return reason
        for directory in self._directories:
            if error.path.is_relative_to(directory):
                return f"{error.path.relative_to(directory)}: {reason}"
        return f"{error.path.name}: {reason}"

    def _look(self) -> list[ModelOnDisk]:
        """Return what is in the folders now. If two folders have models of one name, the first folder counts."""
        found: list[ModelOnDisk] = []
        for directory in self._directories:
            taken = {each.name for each in found}
            found += [each for each in self._look_into(directory) if each.name not in taken]
        return found

    def _look_into(self, directory: Path) -> list[ModelOnDisk]:
        """Return what is in one of the folders. Only the first must exist.

        A folder on demand that cannot be read is skipped: a service often may not read a home folder.
        """
        if directory is not self.directory and not os.path.isdir(directory):
            return []
        try:
            return find_models(directory)
        except (ModelError, OSError) as error:
            if directory not in self._lazy:
                raise
            log.warning("skipped: %s", error)
            return []

    def _part(self, found: list[ModelOnDisk]) -> tuple[dict[str, list[ModelOnDisk]], list[ModelOnDisk]]:
        """Split into the versions on demand that are not served, by name, and all others."""
        served = self._table.newest
        pending: dict[str, list[ModelOnDisk]] = {}
        for each in found:
            if each.name not in served and any(each.path.is_relative_to(folder) for folder in self._lazy):
                pending.setdefault(each.name, []).append(each)
        return pending, [each for each in found if each.name not in pending]

    def _take(self, found: list[ModelOnDisk], names: set[str], wait: bool = False) -> Reload:
        """Serve the versions that were found of the models `names`, if they can be loaded, and no other versions.

        The caller holds the lock. Requests see the old table until the new one is complete.
        """
        done = Reload()
        before = {model.id: model for model in self.models if model.name in names}
        chosen = [each for each in found if each.name in names]
        now = {each.id: self._choose(each, before.get(each.id), done, wait) for each in chosen}
        done.removed.extend(key for key in before if key not in now)
        self._refused = {
            **{key: reason for key, reason in self._refused.items() if key.partition("/")[0] not in names},
            **done.refused,
        }
        others = (model for model in self.models if model.name not in names)
        self._table = _Table([*others, *filter(None, now.values())])
        return done

    def _choose(self, found: ModelOnDisk, old: Model | None, done: Reload, wait: bool) -> Model | None:
        """Return the model to serve: the old one if nothing has changed or the new one is refused."""
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
        """Raise `ModelError` for settings of a model that is not in the repository."""
        known = {model.name for model in self.models} | self._pending.keys()
        for name in sorted(self._own_settings.keys() - known):
            raise ModelError(f"model_settings: there is no model {name!r}; there is {', '.join(sorted(known))}")


def load_model(found: ModelOnDisk, max_rows: int = MAX_ROWS, settings: RuntimeSettings = DEFAULTS) -> Model:
    """Return the model of a version on the disk. Raises `ModelError` with the reason if it cannot be served."""
    if found.problem:
        raise found.problem
    card = read_card(found.card) if found.card else None
    if card and card.name != found.name:
        raise ModelError(f"the card of {card.name!r} in the folder of {found.name!r}", found.card)
    model = Model(found.name, found.version, found.path, card, max_rows, settings)
    if look_at_version(found.path.parents[1], found.version).fingerprint != found.fingerprint:
        raise ModelError("changed while it was loaded; reload the models when it is complete", found.path.parent)
    return model
