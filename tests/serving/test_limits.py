"""glibc can be told to keep no large blocks; elsewhere nothing happens. And garbage is looked for among what is new."""

from __future__ import annotations

import ctypes
import gc
import platform
from types import SimpleNamespace

import pytest

from wsgi_core.serving.memory import keep_what_is_loaded, return_large_blocks


def test_glibc_can_be_told():
    assert return_large_blocks() is (platform.libc_ver()[0] == "glibc")


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())
    assert return_large_blocks() is False


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", "darwin")
    assert return_large_blocks() is False


def test_what_is_loaded_is_not_looked_through_again():
    try:
        keep_what_is_loaded()
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
