"""The models that a service has, in the folders that Triton uses too: `<name>/<version>/model.onnx`.

Beside the versions may stand `<name>/card.json`, which says what the model is and what it takes (a version that
differs has one of its own, `<name>/<version>/card.json`), and other files, which are left alone.

What is served is one immutable table. Requests take a model out of it without any lock and keep it to their end;
`reload`, `load` and `unload` build another table and put it in place of the old one.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .card import read_card
from .errors import ModelError, ModelNotFound
from .folders import Fingerprint, Found, find_models
from .model import Model
from .schema import MAX_ROWS

log = logging.getLogger(__name__)

PACKAGE = Path(__file__).resolve().parent.parent


def default_models_dir() -> Path:
    """The models that come with the project: inside the package in a wheel, beside it in a checkout."""
    installed = PACKAGE / "_models"
    return installed if installed.is_dir() else PACKAGE.parent / "models"


@dataclass(frozen=True, slots=True)
class Entry:
    """One version in the index: state `READY` or `UNAVAILABLE`, and the reason for the latter.

    A `READY` version with a reason is served as it was loaded, while its newer file is refused.
    """

    name: str
    version: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reload:
    """What a reload did, by id (`churn/2`): `refused` gives the reason for each; the rest is left as it was."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


class _Table:
    """Models by name and by id, in the order of the index. Never changed once it is made."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = sorted(models, key=lambda model: (model.name, int(model.version)))
        # Versions ascend, so the newest of a name is what stays.
        self.newest = {model.name: model for model in self.models}
        self.by_id = {model.id: model for model in self.models}


class ModelRepository:
    """All models below a folder, loaded and warmed up: when this returns, they are ready.

    `directory` defaults to `default_models_dir()`; `also` names folders of the same shape whose models are served too,
    as far as their names are not taken (models built at set-up, say); the models of the folders `on_demand` too, but
    each is loaded when it is first asked for; `max_rows` limits the batches of each model.
    Raises `ModelError` for a folder without models, a broken file, or a card that does not fit: a service
    that starts with half of its models would only be found out later.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        also: Iterable[str | os.PathLike[str]] = (),
        on_demand: Iterable[str | os.PathLike[str]] = (),
        max_rows: int = MAX_ROWS,
    ) -> None:
        self.directory = Path(directory) if directory is not None else default_models_dir()
        self._lazy = [*map(Path, on_demand)]
        self._directories = [self.directory, *map(Path, also), *self._lazy]
        self._max_rows = max_rows
        self._change = threading.Lock()
        self._unloaded: set[str] = set()
        # What waits for its first request, by name; and the names of all that ever did.
        self._waiting: dict[str, list[Found]] = {}
        self._on_demand: frozenset[str] = frozenset()
        self._refused: dict[str, str] = {}
        self._fingerprints: dict[str, Fingerprint] = {}
        self._table = _Table([])
        done = self.reload()
        for reason in done.refused.values():
            raise ModelError(reason)

    @property
    def models(self) -> list[Model]:
        """What is served, by name and version ascending."""
        return self._table.models

    @property
    def waiting(self) -> list[str]:
        """The names of the models on demand that nobody has asked for yet."""
        return sorted(self._waiting)

    def get(self, name: str, version: str | int | None = None) -> Model:
        """A model by its name, the newest version unless one is asked for. Raises `ModelNotFound`.

        The first to ask for a model on demand waits until it is loaded, and so do those who ask meanwhile.
        """
        model = self._find(name, version)
        if model is None and name in self._on_demand:
            self._load_asked(name)
            model = self._find(name, version)
        if model is None:
            wanted = name if version is None else f"{name}/{version}"
            raise ModelNotFound(f"no model {wanted!r}; there is {', '.join(self._table.by_id) or 'none'}")
        return model

    def _find(self, name: str, version: str | int | None = None) -> Model | None:
        table = self._table
        return table.newest.get(name) if version is None else table.by_id.get(f"{name}/{version}")

    def _load_asked(self, name: str) -> None:
        """Load a model on demand, unless another request has done it meanwhile, or it was refused then."""
        with self._change:
            found = self._waiting.pop(name, None)
            if found:
                done = self._take(found, {name})
                for reason in done.refused.values():
                    log.warning("refused: %s", reason)

    def versions(self, name: str) -> list[str]:
        """The versions of a model that are served, ascending; none for a name that is unknown."""
        return [model.version for model in self._table.models if model.name == name]

    def index(self) -> list[Entry]:
        """Every version that is served, was refused, or lies in the folder without being served, by name.

        Clients read this: paths in it begin inside of the repository.
        While the folder cannot be read, the last of these are not known.
        """
        with self._change:
            served = self._table.by_id
            try:
                found = self._look()
            except ModelError:
                found = []
            reasons = {each.id: self._why_not(each.name) for each in found if each.id not in served}
            reasons = {**dict.fromkeys(served, ""), **reasons, **self._refused}
        parts = sorted((key.partition("/")[::2] for key in reasons), key=lambda part: (part[0], int(part[1] or 0)))
        entries = [(name, version, f"{name}/{version}" if version else name) for name, version in parts]
        return [
            Entry(name, version, "READY" if key in served else "UNAVAILABLE", self.inside(reasons[key]))
            for name, version, key in entries
        ]

    def _why_not(self, name: str) -> str:
        """Why nothing is known of a version in the folder but that it is there."""
        if name in self._unloaded:
            return "unloaded"
        return "loaded when it is first asked for" if name in self._waiting else "new, not loaded yet"

    def reload(self) -> Reload:
        """Look at the folder again: load what is new or has changed, let go of what is no longer there.

        What is broken is refused, and the version that was served before goes on serving; models that were
        unloaded stay so, and those on demand that nobody has asked for wait. Requests that are running keep the model
        that they have. Raises `ModelError`, and changes nothing, if the folder cannot be read or has no model.
        """
        with self._change:
            waiting, found = self._part(self._look())
            if not found:
                raise ModelError(f"{self.directory}: no model here; expected <name>/<version>/model.onnx")
            self._waiting = {name: versions for name, versions in waiting.items() if name not in self._unloaded}
            self._on_demand |= waiting.keys()
            names = {each.name for each in found} | {model.name for model in self.models}
            return self._take(found, names - self._unloaded)

    def load(self, name: str) -> Reload:
        """Load one model, or look at it again: all its versions, also after `unload`.

        Raises `ModelNotFound` if there is no such folder, `ModelError` with the reasons if one of its versions cannot
        be served as it stands: the others are loaded all the same, and what was served before goes on serving.
        Clients may ask for this: what it raises has no paths but those inside of the repository.
        """
        with self._change:
            try:
                found = [each for each in self._look() if each.name == name]
            except ModelError as error:
                raise ModelError(self.inside(str(error))) from error
            if not found:
                raise ModelNotFound(f"no model {name!r} in the repository")
            self._unloaded.discard(name)
            self._waiting.pop(name, None)
            done = self._take(found, {name})
        if done.refused:
            served = ", ".join(f"{name}/{version}" for version in self.versions(name)) or "none"
            raise ModelError(f"{self.inside('; '.join(done.refused.values()))} (served of it: {served})")
        return done

    def unload(self, name: str) -> None:
        """Serve a model no longer, in any version, until it is loaded again. Raises `ModelNotFound`."""
        with self._change:
            if not self._waiting.pop(name, None) and not self._find(name):
                raise ModelNotFound(f"no model {name!r} is served")
            self._unloaded.add(name)
            self._take([], {name})

    def inside(self, reason: str) -> str:
        """The reason as clients get to see it, with its paths from the repository's folder on."""
        for directory in self._directories:
            reason = reason.replace(f"{directory}{os.sep}", "").replace(f"{directory}: ", "")
        return reason

    def _look(self) -> list[Found]:
        """What is in the folders now; of two folders with models of one name the first has it."""
        found: list[Found] = []
        for directory in self._directories:
            taken = {each.name for each in found}
            found += [each for each in self._look_into(directory) if each.name not in taken]
        return found

    def _look_into(self, directory: Path) -> list[Found]:
        """What is in one of the folders; those beside the first need not be there.

        What is on demand alone keeps nobody from serving the rest: a service often may not read a home folder.
        """
        if directory is not self.directory and not os.path.isdir(directory):
            return []
        try:
            return find_models(directory)
        except (ModelError, OSError) as error:
            if directory not in self._lazy:
                raise
            log.warning("not looked into: %s", error)
            return []

    def _part(self, found: list[Found]) -> tuple[dict[str, list[Found]], list[Found]]:
        """What is on demand and not served, by name, and everything else."""
        served = self._table.newest
        waiting: dict[str, list[Found]] = {}
        for each in found:
            if each.name not in served and any(each.path.is_relative_to(folder) for folder in self._lazy):
                waiting.setdefault(each.name, []).append(each)
        return waiting, [each for each in found if each.name not in waiting]

    def _take(self, found: list[Found], names: set[str]) -> Reload:
        """Serve what was found of the models `names`, as far as it can be loaded, and no other versions of them.

        The caller holds the lock; requests see the old table until the new one is whole.
        """
        done = Reload()
        before = {model.id: model for model in self.models if model.name in names}
        now = {each.id: self._choose(each, before.get(each.id), done) for each in found if each.name in names}
        done.removed.extend(key for key in before if key not in now)
        self._refused = {
            **{key: reason for key, reason in self._refused.items() if key.partition("/")[0] not in names},
            **done.refused,
        }
        others = (model for model in self.models if model.name not in names)
        self._table = _Table([*others, *filter(None, now.values())])
        return done

    def _choose(self, found: Found, old: Model | None, done: Reload) -> Model | None:
        """The model to serve for what was found: the old one if nothing has changed or the new one is broken."""
        if old is not None and self._fingerprints[found.id] == found.fingerprint:
            return old
        try:
            model = load_model(found, self._max_rows)
        except ModelError as error:
            done.refused[found.id] = str(error)
            return old
        (done.added if old is None else done.changed).append(found.id)
        self._fingerprints[found.id] = found.fingerprint
        return model


def load_model(found: Found, max_rows: int = MAX_ROWS) -> Model:
    """The model of a version on the disk; raises `ModelError` with the reason if it can't be served."""
    if found.problem:
        raise ModelError(found.problem)
    card = read_card(found.card) if found.card else None
    if card and card.name != found.name:
        raise ModelError(f"{found.card}: the card of {card.name!r} in the folder of {found.name!r}")
    return Model(found.name, found.version, found.path, card, max_rows)
