"""Connections stay below the limit of open files; glibc returns large blocks; start-up objects are not collected."""

from __future__ import annotations

import gc
import platform
from typing import Any

import pytest

from wsgi_core.serving import limits as module
from wsgi_core.serving.limits import connection_limit, freeze_gc, raise_open_files, return_large_blocks
from wsgi_core.shared.settings import Settings


class Limits:
    """A fake of the module `resource` for a process with these limits."""

    RLIMIT_NOFILE = 7
    RLIM_INFINITY = -1

    def __init__(self, soft: int, hard: int, *, refuses: bool = False) -> None:
        self.soft, self.hard, self.refuses = soft, hard, refuses

    def getrlimit(self, which: int) -> tuple[int, int]:
        assert which == self.RLIMIT_NOFILE
        return self.soft, self.hard

    def setrlimit(self, which: int, limits: tuple[int, int]) -> None:
        if self.refuses:
            raise ValueError("current limit exceeds maximum limit")
        self.soft, self.hard = limits


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        (Limits(4096, 4096), 3000),
        (Limits(1024, 4096), 3000),
        (Limits(1024, Limits.RLIM_INFINITY), 3000),
        (Limits(Limits.RLIM_INFINITY, Limits.RLIM_INFINITY), 3000),
        (Limits(1024, 2048), 2048),
        (Limits(256, 4096, refuses=True), 256),
        (None, 3000),
    ],
)
def test_the_limit_is_raised_as_far_as_it_may(monkeypatch: pytest.MonkeyPatch, limits: Any, found: int):
    monkeypatch.setattr(module, "resource", limits)
    assert raise_open_files(3000) == found
    assert limits is None or limits.refuses or limits.soft in (Limits.RLIM_INFINITY, max(found, limits.soft))


def test_on_windows_there_are_never_more_than_400_connections():
    assert connection_limit(Settings(max_connections=2000), "win32") == 400
    assert connection_limit(Settings(max_connections=40), "win32") == 40


@pytest.mark.parametrize("connections", [1, 2, 3, 9, 10, 11, 398, 1000, 1002])
def test_there_are_as_many_as_was_asked_for_where_they_may_be(monkeypatch: pytest.MonkeyPatch, connections: int):
    monkeypatch.setattr(module, "resource", Limits(1 << 20, 1 << 20))
    assert connection_limit(Settings(max_connections=connections), "linux") == connections


@pytest.mark.parametrize(("files", "connections"), [(1 << 20, 1000), (1024, 368), (0, 1)])
def test_elsewhere_each_connection_may_need_two_files(monkeypatch: pytest.MonkeyPatch, files: int, connections: int):
    monkeypatch.setattr(module, "resource", Limits(files, files))
    assert connection_limit(Settings(max_connections=1000), "linux") == connections


def test_glibc_returns_large_blocks():
    assert return_large_blocks() is (platform.libc_ver()[0] == "glibc")


def test_start_up_objects_are_excluded_from_garbage_collection():
    try:
        freeze_gc()
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
        gc.freeze()  # the modules and tests, as before
