"""``python -m loadtests``: the same command as ``wsgi-core overhead``."""

from __future__ import annotations

from loadtests.cli import overhead


def main() -> None:
    """Run the command with the arguments of this process."""
    overhead(prog_name="python -m loadtests")


if __name__ == "__main__":
    main()
