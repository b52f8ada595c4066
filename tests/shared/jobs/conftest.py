"""Fixtures for the tests of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wsgi_core.shared.jobs import JobStore, open_store


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[JobStore]:
    made = open_store(str(tmp_path / "jobs"))
    yield made
    made.close()
