"""A child process follows the messages of its parent, and reports changes that the other processes must make, too."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from wsgi_core.serving.worker_process import (
    LOG,
    MODELS,
    MODELS_DONE,
    ParentConnection,
    ParentLogHandler,
    ReplicatedModels,
)


class Repository:
    """A fake repository that records its changes."""

    models = ("churn/1",)

    def __init__(self) -> None:
        self.changes: list[Any] = []
        self.changed = threading.Event()

    def reload(self) -> str:
        self.changes.append("reload")
        self.changed.set()
        return "reloaded"

    def load(self, name: str) -> None:
        raise LookupError(name)


@pytest.fixture
def ends() -> Any:
    ours, theirs = multiprocessing.Pipe()
    yield ours, theirs
    ours.close()
    for thread in threading.enumerate():
        if thread.name == "parent":  # so that it does not read from a reused file descriptor
            thread.join(10)
    theirs.close()


def answer_changes(pipe: Any, seen: list[Any], number: int) -> threading.Thread:
    """Act as the parent in a thread: record ``number`` changes, and confirm that the other processes have made them."""

    def run() -> None:
        for _ in range(number):
            kind, change, action, args = pipe.recv()
            assert kind == MODELS
            seen.append((action, args))
            pipe.send((MODELS_DONE, change))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_change_is_made_here_and_then_in_the_other_processes(ends: Any):
    ours, theirs = ends
    parent, repository, seen = ParentConnection(theirs), Repository(), []
    parent.handle_messages(SimpleNamespace(stop=lambda: None), repository)  # type: ignore[arg-type]
    thread = answer_changes(ours, seen, 2)
    models = ReplicatedModels(repository, parent)
    assert models.models == ("churn/1",)
    assert models.reload() == "reloaded"
    with pytest.raises(LookupError, match="other"):
        models.load("other")
    thread.join()
    assert seen == [("reload", ()), ("load", ("other",))]


def test_the_change_of_another_process_is_followed_even_if_it_fails_here(ends: Any):
    ours, theirs = ends
    repository = Repository()
    ParentConnection(theirs).handle_messages(SimpleNamespace(stop=lambda: None), repository)  # type: ignore[arg-type]
    ours.send((MODELS, (1, 7), "reload", ()))
    assert ours.recv() == (MODELS_DONE, (1, 7))
    ours.send((MODELS, (1, 8), "load", ("other",)))
    assert ours.recv() == (MODELS_DONE, (1, 8))
    assert repository.changes == ["reload"]


def test_a_child_whose_parent_is_gone_stops(ends: Any):
    ours, theirs = ends
    stopped = threading.Event()
    parent = ParentConnection(theirs)
    parent.handle_messages(SimpleNamespace(stop=stopped.set), None)  # type: ignore[arg-type]
    ours.close()
    assert stopped.wait(10)
    assert parent.serve.wait(10)


def test_warnings_are_handed_to_the_parent(ends: Any):
    ours, theirs = ends
    handler = ParentLogHandler(ParentConnection(theirs))
    logger = logging.Logger("tests")
    logger.addHandler(handler)
    logger.info("not this")
    logger.warning("this %d", 1)
    assert ours.recv() == (LOG, logging.WARNING, "this 1")
