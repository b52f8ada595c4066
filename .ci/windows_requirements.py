"""Print what a wheel needs on Windows, a requirement a line: pip on Linux would judge the markers by itself."""

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
# Of the requirements' own requirements, those that only Windows has.
TRANSITIVE = ("colorama", "cffi", "tzdata")
# Under wine: numpy 2.2 and later call a function that its C runtime lacks, and the DLLs of msvc-runtime are there.
REPLACED = {"numpy": "numpy >= 1.26, < 2.2", "msvc-runtime": ""}


def requirements(wheel: Path, extras: list[str]) -> list[str]:
    """The wheel's requirements on Windows, with those of its ``extras``."""
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
