"""Compare with Flask's next version: ``python -m tests.conformance.next_flask --flask CHECKOUT``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from ..flask_suite.fetch import FLASK_VERSION, FetchError, pip
from . import report


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    said = argparse.ArgumentParser(
        prog="python -m tests.conformance.next_flask",
        description=__doc__,
        epilog="Without --flask, pip looks for a version after "
        f"{FLASK_VERSION}, including pre-releases. If there is none, the command says so, and its exit code is 0.",
    )
    said.add_argument("--flask", type=Path, metavar="CHECKOUT", help="a checkout of Flask's sources")
    said.add_argument("--examples", type=int, default=500, help="number of random programs (%(default)s)")
    said.add_argument("--write", action="store_true", help="write docs/flask-next.md")
    return said


def downloaded(folder: Path) -> tuple[Path, str]:
    """Install the newest version of Flask into `folder`, and return `folder` and the version.

    Raises FetchError if there is no version after the pinned version.
    """
    pip(["install", "--pre", "--no-deps", "--target", str(folder), f"flask>{FLASK_VERSION}"])
    (metadata,) = folder.glob("flask-*.dist-info")
    return folder, metadata.name.removeprefix("flask-").removesuffix(".dist-info")


def checked_out(checkout: Path) -> tuple[Path, str]:
    """Return the source folder and the version of a checkout."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return checkout / "src", project["version"]


def observe(path: Path, examples: int) -> dict[str, Any]:
    """Run `observe` with the Flask in `path`, and return its output. Raises FetchError if it imported another Flask."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(path), str(report.ROOT)])}
    command = [sys.executable, "-m", "tests.conformance.next_flask.observe", "--examples", str(examples)]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True, encoding="utf-8")
    seen: dict[str, Any] = json.loads(done.stdout)
    if not Path(seen["file"]).is_relative_to(path.resolve()):
        raise FetchError(f"the process imported another Flask: {seen['file']}")
    return seen


def main() -> int:
    """Run the command. Return the exit code, which is 0 even if there are differences."""
    options = parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            path, version = checked_out(options.flask) if options.flask else downloaded(Path(folder).resolve())
        except FetchError as error:
            print(f"no version of Flask after {FLASK_VERSION} could be tested: {error}")
            return 0
        seen = observe(path.resolve(), options.examples)
    page = report.markdown(seen, version)
    if options.write:
        report.PAGE.write_text(page, encoding="utf-8", newline="\n")
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
