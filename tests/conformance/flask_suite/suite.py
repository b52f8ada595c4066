"""Run Flask's tests in a process of their own and read what came out of them."""

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
# Flask's suite takes seconds, an extension's takes minutes. A run that is not over by then hangs in a test.
LIMIT = 900.0


@dataclass
class Outcomes:
    """What a run of the suite did, by test id.

    `passed` are the tests that passed in setup, call and teardown. `skipped` are the tests that pytest skipped, or that
    failed as expected. `why` has one line for each test that did not pass, `text` pytest's report of it. `uncollected`
    maps a file to the error that kept its tests from being found.
    `stopped` says why the run ended early, and is empty if it didn't.
    """

    passed: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    why: dict[str, str] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)
    uncollected: dict[str, str] = field(default_factory=dict)
    subject_file: str = ""
    stopped: str = ""

    def explain(self, test: str) -> str:
        """One line that says why `test` is not among the passed."""
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
    """The folder that `wsgi_core` would be imported from."""
    spec = importlib.util.find_spec("wsgi_core")
    if spec is None or not spec.submodule_search_locations:
        raise fetch.FetchError("wsgi_core cannot be imported: run this in a checkout, or install wsgi_core")
    return Path(next(iter(spec.submodule_search_locations))).resolve().parent


def clean_environment(subject: str, path: Sequence[Path]) -> dict[str, str]:
    """The environment of a run: who answers for Flask, and the folders in front of ``sys.path``."""
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


# What pytest is given in every run.
PYTEST = ("-m", "pytest", "-p", "flask_suite_plugin", "--tb=short", "-q", "--continue-on-collection-errors")


def run(
    subject: str, place: Place, options: Sequence[str] = (), progress: Callable[[int], None] = lambda done: None
) -> Outcomes:
    """Run the suite against `subject` ("core", "real" or "mocks") and return its outcomes.

    `options` go to pytest as they are. `progress` is called with the number of tests that are done.
    """
    path = [PLUGIN, *place.packages, place.flask / "src" if subject == "real" else core_folder()]
    command = [sys.executable, *PYTEST, "-p", "no:cacheprovider", *options, "tests"]
    return watch(command, place.flask, clean_environment(subject, path), progress)


def watch(
    command: Sequence[str], folder: Path, environ: dict[str, str], progress: Callable[[int], None] = lambda done: None
) -> Outcomes:
    """Run a command that has the plugin, to its end or to the limit, and return what its tests did."""
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
    """Wait for the end; tell whether there was one within the limit."""
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
    # 0 and 1 are pytest's codes for a whole run, 5 the one for a run without tests.
    elif code not in (0, 1, 5) or (code == 1 and not ran):
        last = log.strip().splitlines()[-1:] or ["no output"]
        outcomes.stopped = f"pytest ended with code {code}: {last[0]}{at}"
        outcomes.text["pytest"] = log
    return outcomes


def read(lines: Path) -> Outcomes:
    """Read the plugin's lines. A test that failed in one of its phases has not passed, whatever the others."""
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
