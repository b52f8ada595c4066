"""Run many random programs on both frameworks: ``python -m tests.conformance.random_twin --examples 50000``."""

from __future__ import annotations

import argparse
import sys

from .many import run


def main() -> int:
    """Run the command. Return the exit code: 1 if a program differed."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.random_twin", description=__doc__)
    parser.add_argument("--examples", type=int, default=50_000)
    parser.add_argument("--workers", type=int, default=1, help="number of processes")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first batch")
    arguments = parser.parse_args()
    return 1 if run(arguments.examples, arguments.workers, arguments.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
