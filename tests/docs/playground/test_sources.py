"""Every download of the build is pinned with a hash, and the page loads nothing from other sites."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.build import Page

from .__main__ import own_files
from .fetched import SOURCES

PAGE = SOURCES / "site" / "playground.html"
SCRIPTS = sorted((SOURCES / "site").rglob("*.js"))


def test_every_npm_package_has_a_hash_and_no_address() -> None:
    locked = json.loads((SOURCES / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert all(package["integrity"].startswith("sha512-") for name, package in locked.items() if name)
    assert not any("resolved" in package for package in locked.values())


def test_direct_dependencies_are_exact() -> None:
    package = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))
    assert all(re.fullmatch(r"[\d.]+", version) for version in package["dependencies"].values())


def test_every_wheel_has_a_version_and_a_hash() -> None:
    lines = (SOURCES / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert len(pinned) > 5
    assert all(re.fullmatch(r"[\w-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}", line) for line in pinned)


def test_the_page_fetches_from_its_own_folder_alone() -> None:
    assert all(not link.startswith(("http", "//")) for link in Page(PAGE).fetched)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_no_script_names_another_host(script: Path) -> None:
    assert not re.search(r"https?://", script.read_text(encoding="utf-8"))


def test_the_ids_that_others_rely_on_are_there() -> None:
    anchors = Page(PAGE).anchors
    assert {"request", "run", "result"} <= anchors
    assert 'id: "program"' in (SOURCES / "site" / "playground" / "page.js").read_text(encoding="utf-8")


def test_what_runs_in_the_browser_imports_nothing_that_is_left_out(tmp_path: Path) -> None:
    for name, data in own_files():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    # The finder of an editable installation would find modules that are not in the archive.
    code = "import sys; sys.meta_path = [each for each in sys.meta_path if 'ditable' not in repr(each)]; import runner"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == ""
