"""Measure the cost of importing wsgi_core, Flask and Werkzeug, each time in a new interpreter."""

from __future__ import annotations

import functools
import json
import os
import random
import subprocess
import sys
import tempfile

from loadtests.instrument.results import Import

NOTHING = "nothing"
MODULES = (NOTHING, "werkzeug", "wsgi_core", "flask")
# The estimated duration of one interpreter with one import, in seconds.
SECONDS = 0.3

# psutil is imported after the measurement. Otherwise the modules that it imports would be loaded already.
_PROGRAM = """
import json, time
wall, cpu = time.perf_counter_ns(), time.process_time_ns()
{statement}
wall, cpu = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
import psutil
memory = psutil.Process().memory_info().rss
print(json.dumps({{"wall_ms": wall / 1e6, "cpu_ms": cpu / 1e6, "memory_kb": memory / 1024}}))
"""


def measure_round(number: int) -> list[Import]:
    """Measure one import of each module in ``MODULES``, in a random order that ``number`` determines."""
    order = list(MODULES)
    random.Random(number).shuffle(order)
    return [measure_one(module, number) for module in order]


def measure_one(module: str, number: int) -> Import:
    """Measure one import of ``module`` in a new interpreter. The result records ``number``, the number of the round."""
    statement = "pass" if module == NOTHING else f"import {module}"
    _compile(statement)
    return Import(module=module, round=number, **json.loads(_run(_PROGRAM.format(statement=statement))))


@functools.cache
def _compile(statement: str) -> None:
    """Run ``statement`` once, so that the bytecode of its imports is on disk, as in production."""
    _run(statement)


def _run(program: str) -> bytes:
    # The bytecode is written to a temporary folder, because a package's folder may be read-only. A setting of the user
    # that disables bytecode is ignored.
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": _bytecode().name}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, timeout=60, env=environ
    ).stdout


@functools.cache
def _bytecode() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bytecode-")
