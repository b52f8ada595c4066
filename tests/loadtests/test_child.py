"""A child process finds this package from any current folder."""

import subprocess

from loadtests import child

SERVE = child.command("loadtests.load.serve_app", "--help")


def test_a_child_finds_this_package_from_any_folder(tmp_path):
    (tmp_path / "loadtests").mkdir()
    (tmp_path / "loadtests" / "__init__.py").write_text("raise RuntimeError\n", encoding="utf-8")
    done = subprocess.run(SERVE, cwd=tmp_path, capture_output=True, text=True)
    assert "MODULE:APP" in done.stdout, done.stderr
