"""A measured application may print, exit and change sys.path without affecting the instrument."""

import sys

import pytest

from loadtests import apps
from loadtests.instrument.experiment import Pace
from loadtests.instrument.inprocess import RunFailed, Workers

PACE = Pace(1, 0.02, 0.0, 0.2)
ANSWER = """
def app(environ, start_response):
    {work}
    start_response("200 OK", [])
    return [b"x"]
"""
SLEEPER = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
THREAD = "import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()"
# What each application does: at import, and in each request.
HARMLESS = {
    "prints": ("print('{}')", "print('[1, 2')"),
    "writes_to_the_descriptor": ("import os; os.write(1, b'{}')", "import os; os.write(1, b'x'); os.write(2, b'y')"),
    "writes_to_the_first_stdout": ("import sys", "sys.__stdout__.write('x'); sys.__stdout__.flush()"),
    "closes_stdout": ("import os; os.close(1); os.close(2)", "pass"),
    "replaces_stdout": ("import io, sys; sys.stdout = sys.stderr = io.StringIO()", "print('x')"),
    "has_a_child_that_prints": ("import subprocess; subprocess.run(['echo', '{}'])", "pass"),
    "leaves_a_child_behind": (SLEEPER, "pass"),
    "starts_threads_that_never_end": (THREAD, "pass"),
    "registers_what_hangs_at_exit": ("import atexit, time; atexit.register(time.sleep, 600)", "pass"),
    "changes_the_folder": ("import os; os.chdir('inner')", "assert os.getcwd().endswith('inner')"),
    "reads_stdin": ("import sys; assert sys.stdin.read() == ''", "pass"),
    "parses_arguments": ("import argparse; argparse.ArgumentParser().parse_args()", "pass"),
    "stops_the_collector": ("import gc; gc.disable()", "import gc; assert not gc.isenabled()"),
    "changes_the_path": ("import sys; sys.path[:] = []; sys.modules.pop('json', None)", "pass"),
    "reads_the_environment": ("import os; assert os.environ['NEEDED'] == 'there'", "pass"),
    "ignores_signals": ("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)", "pass"),
    "changes_the_hooks": ("import sys; sys.excepthook = sys.unraisablehook = None", "pass"),
}  # fmt: skip
FATAL = {
    "exits_at_import": ("import sys; sys.exit(0)", "pass", r"loading a|cannot be loaded.*\n.*sys.exit\(0\)"),
    "exits_in_a_request": ("import sys", "sys.exit('bye')", r"a fails at GET /.*\n.*sys.exit\('bye'\)"),
    "exits_at_once": ("import os", "os._exit(0)", "asking a: the process ended with exit code 0 before its result"),
    "dies": ("import os, signal", "os.kill(os.getpid(), signal.SIGKILL)", "asking a: the process ended with exit code"),
    "raises_an_interrupt": ("import sys", "raise KeyboardInterrupt", "KeyboardInterrupt"),
    "raises_a_generator_exit": ("import sys", "raise GeneratorExit", "GeneratorExit"),
}


def experiment(folder, monkeypatch, at_import, work):
    (folder / "their_app.py").write_text(at_import + "\n" + ANSWER.format(work=work), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NEEDED", "there")
    (found,) = apps.study_of([apps.parse("a=their_app:app")], []).experiments
    return found


@pytest.mark.parametrize("key", HARMLESS)
def test_an_application_may_do_what_it_does(key, tmp_path, monkeypatch):
    at_import, work = HARMLESS[key]
    if sys.platform == "win32" and key == "has_a_child_that_prints":
        pytest.skip("echo is no program on Windows")
    one = experiment(tmp_path, monkeypatch, at_import, work)
    (tmp_path / "inner").mkdir()
    found = Workers(timeout=30).measure([one], PACE, 1)
    assert found[one.key].blocks


@pytest.mark.parametrize("key", FATAL)
def test_an_application_that_ends_the_process_is_named(key, tmp_path, monkeypatch):
    at_import, work, message = FATAL[key]
    one = experiment(tmp_path, monkeypatch, at_import, work)
    with pytest.raises(RunFailed, match=message):
        Workers(timeout=30).try_out([one])


@pytest.mark.parametrize("work", ["while True: pass", "import time; time.sleep(600)"])
def test_a_worker_that_does_not_end_is_ended_and_named(work, tmp_path, monkeypatch):
    one = experiment(tmp_path, monkeypatch, "", work)
    with pytest.raises(RunFailed, match=r"asking a: the process did not end within 2 s(.|\n)*their_app.py"):
        Workers(timeout=2).try_out([one])


@pytest.mark.parametrize("name", ["loadtests", "tests", "instrument", "json_of_mine"])
def test_packages_may_have_the_names_of_the_instruments(name, tmp_path, monkeypatch):
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").write_text("OWN = b'theirs'\n", encoding="utf-8")
    (package / "late.py").write_text("LATE = True\n", encoding="utf-8")
    one = experiment(tmp_path, monkeypatch, f"import {name}", f"assert {name}.OWN; from {name}.late import LATE")
    other = apps.study_of([apps.parse("a=their_app:app"), apps.parse("b=their_app:app")], []).experiments[0]
    assert Workers(timeout=30).measure([one], PACE, 1)
    assert Workers(timeout=30).measure([other], PACE, 1)
