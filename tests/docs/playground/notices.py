"""The licences of the playground's third-party parts, as one text."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

_LEAD = """\
The playground of wsgi_core carries these packages, unchanged except where noted.
Each is used under its own licence.
"""
# Packages that contain no licence text.
_NO_TEXT = {
    "pyodide": "Mozilla Public License 2.0, https://www.mozilla.org/MPL/2.0/; source: https://github.com/pyodide/pyodide."
    "\nIt contains CPython, which is under the PSF License Agreement: https://docs.python.org/3/license.html"
}
_LEFT_OUT = ("@types/", "esbuild", "@esbuild/", "ws")


def text(modules: Path, wheels: list[Path]) -> str:
    """Return the notices of the npm packages in `modules` and of the wheels."""
    return "\n".join([_LEAD, *_of_npm(modules), *_of_wheels(wheels)])


def _of_npm(modules: Path) -> Iterator[str]:
    for file in sorted([*modules.glob("*/package.json"), *modules.glob("@*/*/package.json")]):
        about = json.loads(file.read_text(encoding="utf-8"))
        if not about["name"].startswith(_LEFT_OUT):
            found = [*file.parent.glob("LICENSE*")]
            text = found[0].read_text(encoding="utf-8") if found else _NO_TEXT[about["name"]]
            yield _notice(about["name"], about["version"], about["license"], text)


def _of_wheels(wheels: list[Path]) -> Iterator[str]:
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        with zipfile.ZipFile(wheel) as archive:
            files = [file for file in archive.namelist() if "LICENSE" in file.rpartition("/")[2]]
            texts = [archive.read(file).decode() for file in files]
        remark = "without its compiled part" if name == "markupsafe" else ""
        yield _notice(name, version, remark, "\n".join(texts))


def _notice(name: str, version: str, remark: str, text: str) -> str:
    return f"{'=' * 80}\n{name} {version}{remark and f' ({remark})'}\n\n{text.strip()}\n"
