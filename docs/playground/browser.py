"""Replacements for what Python lacks in a browser: threads, event loops, onnxruntime and servers.

The web worker calls `prepare` once, before the first program runs.
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
    """A thread whose function runs completely inside `start`, in its own `contextvars` context.

    If the function waits for another thread, it never ends.
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
        """Do nothing, because the thread has already ended."""

    def is_alive(self) -> bool:
        """Return False, because the thread has already ended."""
        return False


class ByHand:
    """A replacement for `asgiref.sync.async_to_sync`, which calls a coroutine function without an event loop.

    The coroutine may await other coroutines, but must not wait for anything else.
    """

    def __init__(self, awaitable: t.Any, force_new_loop: bool = False) -> None:
        self.awaitable = awaitable

    def __call__(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Run the coroutine to its end, and return its result. Raises RuntimeError if the coroutine has to wait."""
        coroutine = self.awaitable(*args, **kwargs)
        try:
            coroutine.send(None)
        except StopIteration as e:
            return e.value
        coroutine.close()
        raise RuntimeError("The playground has no event loop, so a coroutine cannot wait here.")


def prepare() -> None:
    """Install the replacements."""
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
    """A replacement for `wsgi_core.inference.InputError`."""

    @property
    def message(self) -> str:
        """The text for the client."""
        return str(self)


class ModelRepository:
    """A replacement for `wsgi_core.inference.ModelRepository`, without models."""

    models: tuple[t.Any, ...] = ()

    def get(self, name: str) -> ModelRepository:
        """Return this object as a model, whatever the name is."""
        return self

    def predict(self, rows: t.Any) -> t.NoReturn:
        """Raise InputError. The message says how to run the chapter with models."""
        raise InputError(NO_MODEL.format(chapter=8))
