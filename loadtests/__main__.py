"""Run ``wsgi-core overhead`` as ``python -m loadtests``."""

from __future__ import annotations

from loadtests.cli import overhead


def main() -> None:
    overhead(prog_name="python -m loadtests")


if __name__ == "__main__":
    main()
