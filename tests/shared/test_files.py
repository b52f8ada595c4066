"""Writing a file creates or replaces the file itself, and never the target of a symbolic link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wsgi_core.shared.files import create_file, replace_file

links = pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")


def test_a_new_file_has_the_content_byte_for_byte(tmp_path: Path):
    create_file(tmp_path / "a", b"a\r\nb\n\x1a")
    assert (tmp_path / "a").read_bytes() == b"a\r\nb\n\x1a"


@links
@pytest.mark.parametrize("exists", [False, True])
def test_a_link_is_never_written_through(tmp_path: Path, exists: bool):
    target, link = tmp_path / "target", tmp_path / "link"
    if exists:
        target.write_bytes(b"precious")
    link.symlink_to(target)
    with pytest.raises(FileExistsError):
        create_file(link, b"new")
    replace_file(link, b"new")
    assert not link.is_symlink()
    assert link.read_bytes() == b"new"
    assert target.exists() == exists
    assert not exists or target.read_bytes() == b"precious"


def test_what_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    with pytest.raises((IsADirectoryError, PermissionError)):
        replace_file(tmp_path / "folder", b"new")
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "folder", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
