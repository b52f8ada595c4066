"""Distribute the tests over the workers of pytest-xdist by units: a file, or several files that share fixtures."""

from __future__ import annotations

import os

from xdist.scheduler import LoadFileScheduling

UNITS = {
    "the browser": (
        "tests/service/views/test_demo.py",
        "tests/trace/test_page.py",
        "tests/loadtests/report/test_page.py",
        "tests/docs/test_browser_block.py",
    ),
    "the servers": (
        "tests/docs/test_code_blocks.py",
        "tests/serving/test_command.py",
        "tests/conformance/test_service_twins.py",
        "tests/conformance/test_tritonclient.py",
        "tests/conformance/test_twins_observability.py",
        "tests/conformance/test_twins_oip.py",
        "tests/conformance/test_twins_pages.py",
    ),
}
"""Files whose tests share a browser or servers until the end of the session."""

# Tests that start processes or wait for time limits. A long file that is started last would run alone.
FIRST = (
    *UNITS,
    "tests/shared/jobs/test_queue.py",
    "tests/pressure/",
    "tests/loadtests/",
    "tests/serving/",
    "tests/commands/",
    "tests/conformance/test_random_twin.py",
    "tests/docs/playground/",
)
_NAMES = {file: unit for unit, files in UNITS.items() for file in files}


def unit_of(nodeid: str) -> str:
    """Return the name of the unit to which a test's file belongs, or the file."""
    file = nodeid.split("::", 1)[0]
    return _NAMES.get(file, file)


class ByFile(LoadFileScheduling):
    """Run all tests of a unit in one worker, so that the fixtures that they share are set up only once."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def rank(nodeid: str) -> int:
    """Return the place of a test's unit in the order in which units are started."""
    unit = unit_of(nodeid)
    return next((place for place, name in enumerate(FIRST) if unit.startswith(name)), len(FIRST))


def workers() -> int:
    """Return the number of workers for ``-n auto``: two more than cores, because many tests wait for a process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + 2
