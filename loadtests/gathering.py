"""An experiment: rows of requests that are there at the same time, gathered into one run of the model.

Whoever finds no group open opens one and leads it: waits a moment for others, then for its turn, and runs the model
for all of them. `python -m loadtests.gathering SETTING` serves the models so, for the study in `batching.py`.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

Feed = Mapping[str, Any]
Run = Callable[[Sequence[str], Feed], list[Any]]


@dataclass(frozen=True)
class Setting:
    """How a server is to run: its threads; whether it gathers, for how many ms, for how many runs at a time."""

    label: str
    threads: int
    gathers: bool = False
    wait_ms: float = 0.0
    runs: int = 2


@dataclass(eq=False)
class _Group:
    """The requests that one run will answer."""

    feeds: list[Feed] = field(default_factory=list)
    full: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    results: list[list[Any]] = field(default_factory=list)
    error: BaseException | None = None


class Gatherer:
    """Stands for a model's run: at most `runs` at a time, each for up to `max_rows` requests."""

    def __init__(self, run: Run, setting: Setting, max_rows: int = 64) -> None:
        self._run = run
        self._wait = setting.wait_ms / 1000
        self._turns = threading.Semaphore(setting.runs)
        self._max_rows = max_rows
        self._lock = threading.Lock()
        self._open: _Group | None = None

    def __call__(self, outputs: Sequence[str], feed: Feed) -> list[Any]:
        """What the run gives for this feed; raises what the run raises, for all that were gathered with it."""
        with self._lock:
            group = self._open
            leads = group is None
            if group is None:
                group = self._open = _Group()
            place = len(group.feeds)
            group.feeds.append(feed)
            if len(group.feeds) == self._max_rows:
                self._open = None
                group.full.set()
        if leads:
            self._lead(group, outputs)
        group.done.wait()
        if group.error:
            raise group.error
        return group.results[place]

    def _lead(self, group: _Group, outputs: Sequence[str]) -> None:
        if self._wait:
            group.full.wait(self._wait)
        with self._turns:
            with self._lock:
                if self._open is group:
                    self._open = None
            try:
                group.results = run_together(self._run, outputs, group.feeds)
            except BaseException as error:
                group.error = error
            finally:
                group.done.set()


def run_together(run: Run, outputs: Sequence[str], feeds: Sequence[Feed]) -> list[list[Any]]:
    """The results for each feed, from one run; shorter rows (of tokens) are filled up with 0 to the longest."""
    if len(feeds) == 1:
        return [run(outputs, feeds[0])]
    together = {name: np.concatenate(pad([feed[name] for feed in feeds])) for name in feeds[0]}
    ends = np.cumsum([len(next(iter(feed.values()))) for feed in feeds])
    return [list(part) for part in zip(*(np.split(array, ends[:-1]) for array in run(outputs, together)), strict=True)]


def pad(arrays: Sequence[Any]) -> list[Any]:
    """Arrays (n, length) made as long as the longest."""
    longest = max(array.shape[1] for array in arrays)
    return [np.pad(array, ((0, 0), (0, longest - array.shape[1]))) for array in arrays]


def serve(setting: Setting) -> None:
    """Serve all models, the ones built at set-up too, on a free port, which is printed."""
    from wsgi_core.inference import ModelRepository
    from wsgi_core.inference.cache import built_models_dir
    from wsgi_core.service import create_app
    from wsgi_core.serving import Server
    from wsgi_core.serving.command import bind
    from wsgi_core.serving.signals import stop_on_signals
    from wsgi_core.shared.settings import Settings

    settings = Settings(threads=setting.threads, max_waiting=1000, port=0)
    app = create_app(settings=settings)
    app.extensions["models"] = repository = ModelRepository(also=[built_models_dir()])
    app.extensions["models"].get("churn")
    if setting.gathers:
        for model in repository.models:
            model._run = Gatherer(model._run, setting)  # type: ignore[method-assign]
    server = Server(app, bind("127.0.0.1", 0), settings)
    with stop_on_signals(server):
        print(server.port, flush=True)
        server.run()


def as_argument(setting: Setting) -> str:
    """The setting as the argument of a server's process."""
    return json.dumps(asdict(setting))


if __name__ == "__main__":
    serve(Setting(**json.loads(sys.argv[1])))
