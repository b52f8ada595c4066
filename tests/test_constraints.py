"""What the pipeline installs fits what setup.cfg asks for."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / ".ci" / "constraints.txt"
# Where the pins were made.
LINUX = {"sys_platform": "linux", "python_version": "3.11", "platform_system": "Linux"}

pytestmark = pytest.mark.skipif(not PINS.exists(), reason="only a checkout has the pipeline's files")


def pins() -> dict[str, str]:
    lines = PINS.read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def required() -> list[Requirement]:
    """All requirements on Linux, whatever extra they are of, but for those of Windows."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = config["options.extras_require"]
    wanted = {"flask", "overhead", "minilm", "ui", "train", "clients", "docs", "test"} & set(extras)
    texts = [config["options"]["install_requires"], *(extras[name] for name in wanted)]
    found = [Requirement(line) for text in texts for line in text.splitlines() if line.strip()]
    return [requirement for requirement in found if not requirement.marker or requirement.marker.evaluate(LINUX)]


def test_each_requirement_has_a_version_that_fits():
    """Make them again with ``python .ci/lock.py >.ci/constraints.txt``."""
    known = pins()
    missing = [
        str(requirement)
        for requirement in required()
        if not requirement.specifier.contains(known.get(canonicalize_name(requirement.name), "0"))
    ]
    assert missing == []


def test_there_are_names_and_versions_and_no_place_to_get_them_from():
    lines = PINS.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[a-z0-9-]+==[A-Za-z0-9.+!]+", line)] == []
