"""Fixtures for the tests of the exercises."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.learn.learner import started


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The program of chapter 0, in a temporary folder."""
    return started(0, tmp_path)
