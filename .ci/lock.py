"""Print one pinned version of each package that the pipeline installs: ``python .ci/lock.py >.ci/constraints.txt``.

Run the script with Python 3.11. pip resolves the extras `test`, `docs` and `clients` together, as if no package were
installed. The script needs only pip.
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
# The versions that .ci/run installs, through PIP_CONSTRAINT, so that a new release of a dependency cannot break it.
# Generated with Python 3.11: python .ci/lock.py >.ci/constraints.txt
"""


def resolve(folder: Path) -> list[dict[str, Any]]:
    """Return the packages that pip would install, as in pip's installation report.

    Raises CalledProcessError if pip fails.
    """
    report = folder / "report.json"
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    subprocess.run([*command, "--report", str(report), f"{ROOT}[{EXTRAS}]"], check=True, stdout=sys.stderr)
    installed: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["install"]
    return installed


def pins(installed: list[dict[str, Any]]) -> list[str]:
    """Return a line ``name==version`` for each package except this project, sorted by name."""
    found = [item["metadata"] for item in installed if "dir_info" not in item["download_info"]]
    return sorted(f"{re.sub(r'[-_.]+', '-', item['name']).lower()}=={item['version']}" for item in found)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        print(HEAD + "\n".join(pins(resolve(Path(folder)))))
