"""Print one version for all that the pipeline installs: ``python .ci/lock.py >.ci/constraints.txt``, on Python 3.11.

pip resolves the extras of the tests, the site and KServe's client together, as if nothing were installed. It needs
neither this project's packages nor another one's, so that a fresh virtual environment can do it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = "test,docs,clients"
HEAD = """\
# What .ci/run installs, through PIP_CONSTRAINT, so that a release of somebody else's can't break it from one day to
# the next. Made by: python .ci/lock.py >.ci/constraints.txt (Python 3.11).
"""


def resolve(folder: Path) -> list[dict[str, Any]]:
    """What pip would install, in the words of its installation report. Raises CalledProcessError."""
    report = folder / "report.json"
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    subprocess.run([*command, "--report", str(report), f"{ROOT}[{EXTRAS}]"], check=True, stdout=sys.stderr)
    installed: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["install"]
    return installed


def pins(installed: list[dict[str, Any]]) -> list[str]:
    """A line for each, but for this project itself."""
    found = [item["metadata"] for item in installed if "dir_info" not in item["download_info"]]
    return sorted(f"{re.sub(r'[-_.]+', '-', item['name']).lower()}=={item['version']}" for item in found)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        print(HEAD + "\n".join(pins(resolve(Path(folder)))))
