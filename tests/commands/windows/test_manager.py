"""Windows splits the command line of a service into the intended words."""

from __future__ import annotations

import site
import subprocess
import sys
import sysconfig

import pytest

from wsgi_core.commands.windows import manager


def words(line: str) -> list[str]:
    """Split a command line by Windows' rules, for command lines without backslashes before quotes."""
    found, word, quoted = [], "", False
    for char in line:
        if char == '"':
            quoted = not quoted
        elif char == " " and not quoted:
            found.append(word)
            word = ""
        else:
            word += char
    return [*found, word]


def test_the_real_python_is_started_with_this_ones_packages(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "_base_executable", r"C:\Program Files\Python312\python.exe")
    line = manager.command_line("churn", "", {"WSGI_CORE_MODELS": r"C:\my models"})
    assert words(line) == [
        r"C:\Program Files\Python312\python.exe", "-I", "-X", "utf8", "-c", manager._BOOT,
        sysconfig.get_path("purelib"), "churn", "", r"WSGI_CORE_MODELS=C:\my models",
    ]  # fmt: skip


def test_a_base_python_finds_the_packages_by_the_argument():
    boot = manager._BOOT.replace("main(sys.argv[2:])", "print(main.__module__, sys.argv[2:])")
    folder = next(path for path in [sysconfig.get_path("purelib"), *site.getsitepackages()])
    command = [getattr(sys, "_base_executable", sys.executable), "-I", "-X", "utf8", "-c", boot, folder, "name", ""]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=60)
    assert done.stdout == "wsgi_core.commands.windows.host ['name', '']\n", done.stderr


@pytest.mark.parametrize(("code", "said"), [(1, "error"), (2, "port"), (3, "model"), (99, "it ended (code 99)")])
def test_every_exit_code_has_words(code: int, said: str):
    assert said in manager.explained(code)
