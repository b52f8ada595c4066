"""Start an application on one side, in its own virtual environment, and send its requests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..extension_suites.run import STARTUP, copied_core, environment, python_of
from ..flask_suite.suite import PLUGIN, clean_environment
from .answers import Answer, ask
from .visits import Application, Place

LOCKS = Path(__file__).with_name("locks")
LIMIT = 180.0


def visited(application: Application, subject: str, cache: Path) -> list[Answer]:
    """Return the responses of the application on `subject`: "core" or "real"."""
    made = environment(LOCKS / f"{application.name.lower()}.txt", cache)
    with tempfile.TemporaryDirectory(prefix="applications-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch).resolve()
        environ = clean_environment(subject, [STARTUP, PLUGIN, copied_core(folder / "core")])
        environ["PATH"] = os.pathsep.join([str(python_of(made).parent), environ.get("PATH", "")])
        place = Place(_free_port(), python_of(made), environ, folder)
        assert _who_answers(place) == {"core": "wsgi_core.app", "real": "flask.app"}[subject]
        with _started(application, place):
            return application.visit(place)


def _who_answers(place: Place) -> str:
    """Return the name of the module that defines ``flask.Flask`` in the application's processes."""
    command = [str(place.python), "-c", "import flask; print(flask.Flask.__module__)"]
    return subprocess.run(command, env=place.environ, capture_output=True, check=True, text=True).stdout.strip()


@contextmanager
def _started(application: Application, place: Place) -> Iterator[None]:
    """Start the application, wait until it responds, and end it with the block. An exception gets its log as a note."""
    command = [str(place.python), *application.command(place.port)]
    log = place.folder / "log.txt"
    with log.open("wb") as output:
        options = {"start_new_session": True} if sys.platform != "win32" else {}
        process = subprocess.Popen(
            command,
            cwd=place.folder,
            env=place.environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **options,
        )
        try:
            _wait(application, place, process)
            yield
        except Exception as error:
            error.add_note(log.read_text(encoding="utf-8", errors="replace")[-5000:])
            raise
        finally:
            _end(process)


def _wait(application: Application, place: Place, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        assert process.poll() is None, f"{application.name} ended with {process.returncode}"
        try:
            ask(place.port, application.ready)
        except OSError:
            time.sleep(0.3)
        else:
            return
    raise AssertionError(f"{application.name} did not answer within {LIMIT:.0f} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the application and the processes that it has started."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True)
    else:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
