"""Record the golden cases on the Flask that this process imports, compare random programs with the core, print JSON."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import logging
import re
import sys
import textwrap
import warnings
from collections import Counter

import flask
from hypothesis import HealthCheck, Phase, given, seed, settings

from ..golden_apps import CASES, FRAMEWORKS, record
from ..random_twin.program import Program
from ..random_twin.run import run_both
from ..random_twin.strategy import programs


def traces() -> dict[str, list[str]]:
    """Return the events of each golden case on this Flask, or one line with the error if the case cannot run."""
    found = {}
    for name, case in CASES.items():
        try:
            found[name] = [str(event) for event in record(case.build, case.drive, FRAMEWORKS["flask"]).events]
        except Exception as error:  # The error shows what has changed. It must not hide the other cases.
            found[name] = [f"cannot run: {type(error).__name__}: {error}"]
    return found


def kinds(examples: int) -> Counter[str]:
    """Return how many of `examples` random programs differ, by the first event that differs ("" for no difference)."""
    counted: Counter[str] = Counter()

    @seed(1)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(programs())
    def count(program: Program) -> None:
        on_flask, on_core = run_both(program)
        counted[first_difference(on_flask, on_core)] += 1

    count()
    return counted


def first_difference(on_flask: list[tuple[object, ...]], on_core: list[tuple[object, ...]]) -> str:
    """Return the first events that differ, without numbers and names of the program, or "" without a difference."""
    for theirs, ours in zip(on_flask, on_core, strict=False):
        if theirs != ours:
            return f"{_kind(theirs)} | {_kind(ours)}"
    return "" if len(on_flask) == len(on_core) else "one side ends early"


def _kind(event: tuple[object, ...]) -> str:
    words = " ".join(map(str, event[:4]))
    return textwrap.shorten(re.sub(r"\b(b\d(again)?\.)*v?\d+\b|[|`]", "", words), 90, placeholder=" ...")


def main() -> None:
    """Print the observations as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=0)
    examples = parser.parse_args().examples
    warnings.simplefilter("ignore")
    logging.disable()
    counted = kinds(examples) if examples else Counter[str]()
    same = counted.pop("", 0)
    data = {
        "file": flask.__file__,
        "werkzeug": importlib.metadata.version("werkzeug"),
        "traces": traces(),
        "examples": examples,
        "same": same,
        "kinds": dict(counted.most_common()),
    }
    json.dump(data, sys.stdout)


if __name__ == "__main__":
    main()
