"""What ``import wsgi_core`` costs beside ``import flask``: fresh interpreters in turn, one import each."""

from __future__ import annotations

import json
import random
import subprocess
import sys

from loadtests.instrument.results import Import

NOTHING = "nothing"
MODULES = (NOTHING, "werkzeug", "wsgi_core", "flask")
# For the estimate of the time: one interpreter with one import.
SECONDS = 0.3

# psutil comes in after the clock has stopped: what it imports would otherwise be missing from the bill.
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
    """One fresh interpreter for each module, in an order drawn anew."""
    order = list(MODULES)
    random.Random(number).shuffle(order)
    return [measure_one(module, number) for module in order]


def measure_one(module: str, number: int) -> Import:
    """One interpreter that imports ``module``; the bytecode is on disk from the round before."""
    program = _PROGRAM.format(statement="pass" if module == NOTHING else f"import {module}")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
    return Import(module=module, round=number, **json.loads(done.stdout))
