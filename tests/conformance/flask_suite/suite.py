"""Run Flask's tests in a separate process, and read their outcomes."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import fetch

PLUGIN = Path(__file__).with_name("plugin")
# In seconds. Flask's suite takes seconds, and that of an extension takes minutes. A longer run hangs in a test.
LIMIT = 900.0


@dataclass
class Outcomes:
    """The outcomes of a run of the suite, by test id.

    `passed` has the tests that passed in setup, call and teardown. `skipped` has the tests that pytest skipped, or that
    failed as expected. For each test that did not pass, `why` has one line, and `text` has pytest's report.
    `uncollected` maps a file whose tests could not be collected to the error. `stopped` says why the run ended early.
    It is empty if the run was complete.
    """

    passed: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    why: dict[str, str] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)
    uncollected: dict[str, str] = field(default_factory=dict)
    subject_file: str = ""
    stopped: str = ""

    def explain(self, test: str) -> str:
        """Return one line that says why `test` did not pass."""
        if test in self.why:
            return self.why[test]
        file = test.partition("::")[0]
        if broken := self.uncollected.get(file) or self.uncollected.get("tests/conftest.py"):
            return f"not collected: {broken.strip().splitlines()[-1].removeprefix('E').strip()}"
        return self.stopped or "no such test was found"


@dataclass(frozen=True)
class Place:
    """Where a run happens: the unpacked source distribution, and the folders in front of ``sys.path``."""

    flask: Path
    packages: tuple[Path, ...]


def core_folder() -> Path:
    """Return the folder from which `wsgi_core` is imported."""
    spec = importlib.util.find_spec("wsgi_core")
    if spec is None or not spec.submodule_search_locations:
        raise fetch.FetchError("wsgi_core cannot be imported: run this in a checkout, or install wsgi_core")
    return Path(next(iter(spec.submodule_search_locations))).resolve().parent


def clean_environment(subject: str, path: Sequence[Path]) -> dict[str, str]:
    """Return the environment variables of a run. `subject` takes Flask's place; `path` is the start of ``sys.path``."""
    own = ("FLASK_", "PYTEST_", "WERKZEUG_", "COV_", "COVERAGE_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return environ | {
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PYTHONUTF8": "1",
        "PYTHONWARNINGS": "",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "FLASK_SUITE_SUBJECT": subject,
        "FLASK_SUITE_VERSION": fetch.FLASK_VERSION,
    }


# The arguments of every run of pytest.
PYTEST = ("-m", "pytest", "-p", "flask_suite_plugin", "--tb=short", "-q", "--continue-on-collection-errors")


def run(
    subject: str, place: Place, options: Sequence[str] = (), progress: Callable[[int], None] = lambda done: None
) -> Outcomes:
    """Run the suite against `subject` ("core", "real" or "mocks") and return its outcomes.

    `options` are further arguments of pytest. `progress` is called with the number of tests that have started.
    """
    path = [PLUGIN, *place.packages, place.flask / "src" if subject == "real" else core_folder()]
    command = [sys.executable, *PYTEST, "-p", "no:cacheprovider", *options, "tests"]
    return watch(command, place.flask, clean_environment(subject, path), progress)


def watch(
    command: Sequence[str], folder: Path, environ: dict[str, str], progress: Callable[[int], None] = lambda done: None
) -> Outcomes:
    """Run a command that loads the plugin until it ends, at most ``LIMIT`` seconds. Return the outcomes."""
    with tempfile.TemporaryDirectory() as scratch:
        lines = Path(scratch, "outcomes.jsonl")
        lines.touch()
        environ = environ | {"FLASK_SUITE_OUTCOMES": str(lines)}
        with Path(scratch, "log.txt").open("w+", encoding="utf-8", errors="replace") as log:
            process = subprocess.Popen(
                command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            over = _wait(process, lines, progress)
            log.seek(0)
            return _finish(read(lines), process.returncode, over, log.read())


def _wait(process: subprocess.Popen[bytes], lines: Path, progress: Callable[[int], None]) -> bool:
    """Wait for the process to end. Kill it after ``LIMIT`` seconds. Return whether it ended by itself."""
    end = time.monotonic() + LIMIT
    while process.poll() is None:
        progress(lines.read_bytes().count(b'{"event": "started"'))
        if time.monotonic() > end:
            process.kill()
            process.wait()
            return False
        time.sleep(0.1)
    return True


def _finish(outcomes: Outcomes, code: int, over: bool, log: str) -> Outcomes:
    at = f"; it was at {outcomes.stopped}" if outcomes.stopped else ""
    ran = bool(outcomes.stopped or outcomes.uncollected)
    outcomes.stopped = ""
    if not over:
        outcomes.stopped = f"the run was stopped after {LIMIT:.0f} s{at}"
    # pytest's exit codes: 0 and 1 after a complete run, 5 if no tests were collected.
    elif code not in (0, 1, 5) or (code == 1 and not ran):
        last = log.strip().splitlines()[-1:] or ["no output"]
        outcomes.stopped = f"pytest ended with code {code}: {last[0]}{at}"
        outcomes.text["pytest"] = log
    return outcomes


def read(lines: Path) -> Outcomes:
    """Return the outcomes from the plugin's lines. A test that failed in setup, call or teardown has not passed."""
    outcomes = Outcomes()
    for line in lines.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        event = fields.pop("event")
        if event == "passed":
            outcomes.passed.add(fields["id"])
        elif event in ("failed", "skipped"):
            outcomes.why.setdefault(fields["id"], fields["why"].partition("\n")[0] or event)
            outcomes.text[fields["id"]] = fields["text"]
            if event == "skipped":
                outcomes.skipped.add(fields["id"])
        elif event == "uncollected":
            outcomes.uncollected[fields["id"]] = fields["text"]
        elif event == "subject":
            outcomes.subject_file = fields["file"]
        else:
            outcomes.stopped = fields["id"]
    outcomes.passed -= outcomes.why.keys()
    return outcomes
