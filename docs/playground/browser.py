"""What CPython in a browser lacks, made good: threads, event loops, onnxruntime and a server's socket.

`prepare` is called once, in the web worker, before the first program runs.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import typing as t
from types import ModuleType

import asgiref.sync

NO_MODEL = "The playground has no onnxruntime. Run this chapter on your machine: wsgi-core learn run {chapter}"


class ThreadAtOnce(threading.Thread):
    """A thread that runs from begin to end inside `start`, in a context of its own, as a real one does.

    That is one of the orders in which real threads may run. A thread that waits for another one never ends here.
    """

    def start(self) -> None:
        """Run the thread's function now."""
        self._was_started = True
        contextvars.Context().run(self._run_reporting)

    def _run_reporting(self) -> None:
        try:
            self.run()
        except Exception:
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), self)))

    def join(self, timeout: float | None = None) -> None:
        """Return at once: the thread has ended."""

    def is_alive(self) -> bool:
        """Return False: a thread that was started has ended."""
        return False


class ByHand:
    """Calls a coroutine function without an event loop: for what only awaits other coroutines."""

    def __init__(self, awaitable: t.Any, force_new_loop: bool = False) -> None:
        self.awaitable = awaitable

    def __call__(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Run the coroutine to its end. Raises RuntimeError if it waits for something."""
        coroutine = self.awaitable(*args, **kwargs)
        try:
            coroutine.send(None)
        except StopIteration as e:
            return e.value
        coroutine.close()
        raise RuntimeError("The playground has no event loop: a coroutine cannot wait here.")


def prepare() -> None:
    """Put the stand-ins in their places."""
    threading.Thread = ThreadAtOnce  # type: ignore[misc]
    asgiref.sync.async_to_sync = ByHand  # type: ignore[assignment]
    sys.modules["waitress"] = _module("waitress", serve=lambda app, **options: None)
    sys.modules["wsgi_core.inference"] = _module(
        "wsgi_core.inference", InputError=InputError, ModelRepository=ModelRepository
    )


def _module(name: str, **names: t.Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(names)
    return module


class InputError(ValueError):
    """As `wsgi_core.inference.InputError`: what the client sent is wrong."""

    @property
    def message(self) -> str:
        """What the client is told."""
        return str(self)


class ModelRepository:
    """A repository without models."""

    models: tuple[t.Any, ...] = ()

    def get(self, name: str) -> ModelRepository:
        """Return what stands for a model."""
        return self

    def predict(self, rows: t.Any) -> t.NoReturn:
        """Raise InputError, which says where models can be run."""
        raise InputError(NO_MODEL.format(chapter=8))
