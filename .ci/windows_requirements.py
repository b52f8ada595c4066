"""Print the requirements of a wheel on Windows, one on each line.

The arguments are the wheel and its extras. pip on Linux cannot do this, because it evaluates environment markers for
Linux.
"""

from __future__ import annotations

import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement

WINDOWS = {
    "sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64",
    "python_version": "3.12", "python_full_version": "3.12.9", "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}  # fmt: skip
# Requirements of the requirements that apply only on Windows.
TRANSITIVE = ("colorama", "cffi", "tzdata")
# The C runtime of wine lacks a function that NumPy 2.2 and newer call. wine has the DLLs of msvc-runtime itself.
REPLACED = {"numpy": "numpy >= 1.26, < 2.2", "msvc-runtime": ""}


def requirements(wheel: Path, extras: list[str]) -> list[str]:
    """Return the requirements of the wheel and of its `extras` on Windows, sorted."""
    with zipfile.ZipFile(wheel) as file:
        name = next(name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        lines = HeaderParser().parsestr(file.read(name).decode("utf-8")).get_all("Requires-Dist") or []
    found = {}
    for requirement in map(Requirement, lines):
        if any(not requirement.marker or requirement.marker.evaluate({**WINDOWS, "extra": e}) for e in ["", *extras]):
            requirement.marker = None
            found[requirement.name.lower()] = REPLACED.get(requirement.name.lower(), str(requirement))
    return sorted(filter(None, found.values()))


if __name__ == "__main__":
    print("\n".join([*requirements(Path(sys.argv[1]), sys.argv[2:]), *TRANSITIVE]))
