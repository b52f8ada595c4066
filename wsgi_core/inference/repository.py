"""The models that a service has, in the folders that Triton uses too: `<name>/<version>/model.onnx`.

Beside the versions may stand `<name>/card.json`, which says what the model is and what it takes (a version that
differs has one of its own, `<name>/<version>/card.json`), and other files, which are left alone.

What is served is one immutable table. Requests take a model out of it without any lock and keep it to their end;
`reload`, `load` and `unload` build another table and put it in place of the old one.
"""

from __future__ import annotations

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
    as far as their names are not taken (models built at set-up, say); `max_rows` limits the batches of each model.
    Raises `ModelError` for a folder without models, a broken file, or a card that does not fit: a service
    that starts with half of its models would only be found out later.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        also: Iterable[str | os.PathLike[str]] = (),
        max_rows: int = MAX_ROWS,
    ) -> None:
        self.directory = Path(directory) if directory is not None else default_models_dir()
        self._directories = [self.directory, *map(Path, also)]
        self._max_rows = max_rows
        self._change = threading.Lock()
        self._unloaded: set[str] = set()
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

    def get(self, name: str, version: str | int | None = None) -> Model:
        """A model by its name, the newest version unless one is asked for. Raises `ModelNotFound`."""
        table = self._table
        model = table.newest.get(name) if version is None else table.by_id.get(f"{name}/{version}")
        if model is None:
            wanted = name if version is None else f"{name}/{version}"
            raise ModelNotFound(f"no model {wanted!r}; there is {', '.join(table.by_id) or 'none'}")
        return model

    def versions(self, name: str) -> list[str]:
        """The versions of a model that are served, ascending; none for a name that is unknown."""
        return [model.version for model in self._table.models if model.name == name]

    def index(self) -> list[Entry]:
        """Every version that is served, was refused, or belongs to a model that was unloaded, by name.

        Clients read this: paths in it begin inside of the repository.
        While the folder cannot be read, those that were unloaded are not known.
        """
        with self._change:
            served = self._table.by_id
            try:
                found = self._look()
            except ModelError:
                found = []
            reasons = {each.id: "unloaded" for each in found if each.name in self._unloaded}
            reasons = {**dict.fromkeys(served, ""), **reasons, **self._refused}
        parts = sorted((key.partition("/")[::2] for key in reasons), key=lambda part: (part[0], int(part[1] or 0)))
        entries = [(name, version, f"{name}/{version}" if version else name) for name, version in parts]
        return [
            Entry(name, version, "READY" if key in served else "UNAVAILABLE", self._inside(reasons[key]))
            for name, version, key in entries
        ]

    def reload(self) -> Reload:
        """Look at the folder again: load what is new or has changed, let go of what is no longer there.

        What is broken is refused, and the version that was served before goes on serving; models that were
        unloaded stay so. Requests that are running keep the model that they have. Raises `ModelError`, and changes
        nothing, if the folder cannot be read or has no model.
        """
        with self._change:
            found = self._look()
            if not found:
                raise ModelError(f"{self.directory}: no model here; expected <name>/<version>/model.onnx")
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
                raise ModelError(self._inside(str(error))) from error
            if not found:
                raise ModelNotFound(f"no model {name!r} in the repository")
            self._unloaded.discard(name)
            done = self._take(found, {name})
        if done.refused:
            served = ", ".join(f"{name}/{version}" for version in self.versions(name)) or "none"
            raise ModelError(f"{self._inside('; '.join(done.refused.values()))} (served of it: {served})")
        return done

    def unload(self, name: str) -> None:
        """Serve a model no longer, in any version, until it is loaded again. Raises `ModelNotFound`."""
        with self._change:
            self.get(name)
            self._unloaded.add(name)
            self._take([], {name})

    def _inside(self, reason: str) -> str:
        """The reason with its paths from the repository's folder on."""
        for directory in self._directories:
            reason = reason.replace(f"{directory}{os.sep}", "").replace(f"{directory}: ", "")
        return reason

    def _look(self) -> list[Found]:
        """What is in the folders now; of two folders with models of one name the first has it."""
        found: list[Found] = []
        for directory in self._directories:
            if directory is self.directory or directory.is_dir():
                taken = {each.name for each in found}
                found += [each for each in find_models(directory) if each.name not in taken]
        return found

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
