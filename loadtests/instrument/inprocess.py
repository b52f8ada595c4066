"""Run measuring processes, one after another, each with its own hash seed.

A *contender* is an application in an experiment. A *worker* is a measuring process (see ``worker.py``).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click import ClickException

from loadtests.child import ROOT, command
from loadtests.instrument.experiment import MAIN, Experiment, Hooks, Pace, job
from loadtests.instrument.results import Process

# The estimated seconds that a worker needs to start and to make the contenders, by group.
START_SECONDS = {MAIN: 0.9, "peers": 1.4, "tutorial": 3.0, "models": 2.4}
# The default of --timeout.
TIMEOUT = 60.0
# How many characters of a worker's output an error message shows.
SHOWN = 2000


class RunFailed(ClickException):
    """A part of the run failed. The command shows the message and ends with ``exit_code``."""

    exit_code = 5


class Mismatch(RunFailed):
    """A response is missing, has an unexpected status, or differs from a response to which it must be equal."""

    exit_code = 4


class ModelNotLoaded(RunFailed):
    """An application cannot load its model."""

    exit_code = 3


@dataclass(frozen=True)
class Answered:
    """How one contender responds.

    ``protocol`` is ``"wsgi"`` or ``"asgi"``. ``differences`` has a text for each request whose response differs from
    the response of the first contender.
    """

    protocol: str
    differences: list[str]


@dataclass(frozen=True)
class Workers:
    """How to start workers: the user's hooks, and the Python to use.

    A worker is ended after three times its planned duration plus ``timeout`` seconds. ``python`` imports this package
    from the folder ``root``.
    """

    hooks: Hooks = field(default_factory=Hooks)
    timeout: float = TIMEOUT
    python: str = sys.executable
    root: str = ROOT

    def try_out(self, experiments: Sequence[Experiment]) -> dict[str, dict[str, Answered]]:
        """Send every request once to each contender without timing it, and return how each contender responds.

        The result is a dict by the experiment's key and then by the contender's name. Raises ``Mismatch`` if a response
        is missing or has an unexpected status, or if responses differ that must be equal. Raises ``RunFailed`` if an
        application cannot be loaded or fails, or if the worker exceeds its time limit.
        """
        answers = self._run(job(experiments, self.hooks), 0, 0.0)["answers"]
        return {key: {name: Answered(**said) for name, said in by_name.items()} for key, by_name in answers.items()}

    def measure(self, experiments: Sequence[Experiment], pace: Pace, hash_seed: int) -> dict[str, Process]:
        """Measure all experiments in one new worker. Return the samples of each experiment by its key.

        Raises the same exceptions as ``try_out``.
        """
        wanted = {"seconds": pace.seconds, "warm_up": pace.warm_up, "block_ms": pace.block_ms, "seed": hash_seed}
        found = self._run(job(experiments, self.hooks, **wanted), hash_seed, pace.process_seconds(experiments))
        about = {"hash_seed": hash_seed, "clock": found["clock"], "clock_step_ns": found["clock_step_ns"]}
        return {key: Process(**about, blocks=blocks) for key, blocks in found["samples"].items()}

    def _run(self, wanted: Mapping[str, Any], hash_seed: int, planned: float) -> dict[str, Any]:
        limit = 3 * planned + self.timeout
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
            folder = Path(name)
            (folder / "job.json").write_text(json.dumps({**wanted, "limit": limit}), encoding="utf-8")
            environ = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
            arguments = command("loadtests.instrument.worker", name, python=self.python, root=self.root)
            code = _run_worker(folder, arguments, environ, limit)
            return _read_result(folder, code, limit)


def _run_worker(folder: Path, arguments: list[str], environ: Mapping[str, str], limit: float) -> int:
    """Run a worker until it ends, kill its process group (on Windows, only the worker), and return its exit code.

    If the worker does not end within ``limit`` + 10 seconds, return -1. The worker's output goes to ``log.txt``,
    because a pipe would stay open as long as a child process of the application runs.
    """
    with (folder / "log.txt").open("wb") as log:
        worker = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, start_new_session=True
        )
        try:
            # The worker's own timeout is earlier, and writes the traceback of each thread.
            return worker.wait(limit + 10)
        except subprocess.TimeoutExpired:
            return -1
        finally:
            _kill_process_group(worker)


def _kill_process_group(worker: subprocess.Popen[bytes]) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.pid, signal.SIGKILL)
    worker.kill()
    worker.wait()


def _read_result(folder: Path, code: int, limit: float) -> dict[str, Any]:
    """Return the result that a worker has written.

    Raises ``RunFailed`` if there is no result, or if the result is an error.
    """
    path = folder / "result.json"
    if not path.exists():
        raise RunFailed(_why_it_ended(folder, code, limit))
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if code == 4:
        raise Mismatch(found["error"])
    if code:
        raise failed(found["error"])
    return found


def failed(said: str) -> RunFailed:
    """Return the exception for ``said``, the error that a worker has reported.

    If the error is a ``ModelError``, the exception is ``ModelNotLoaded`` without the traceback.
    """
    kind, _, reason = said.rpartition("\n")[2].partition(": ")
    if kind.rpartition(".")[2] == "ModelError":
        return ModelNotLoaded(reason)
    return RunFailed(said)


def _why_it_ended(folder: Path, code: int, limit: float) -> str:
    """Return a text that says what the worker was doing when it ended.

    If the worker exceeded its time limit, the text has the tracebacks of its threads, if there are any. Otherwise the
    text has the end of the worker's output.
    """
    stage, hangs, log = (_text(folder / name).strip() for name in ("stage.txt", "hangs.txt", "log.txt"))
    doing = stage or "starting"
    if hangs or code == -1:
        said = f"{doing}: the process did not end within {limit:.0f} s and was killed"
        return f"{said}. Where it was:\n{hangs[-SHOWN:]}" if hangs else said
    said = f"{doing}: the process ended with exit code {code} before its result was written"
    return f"{said}. Its last output:\n{log[-SHOWN:]}" if log else said


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
