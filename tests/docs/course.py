"""The course's programs: the calls that one request makes in each, and what the pages take from elsewhere.

``python -m tests.docs.course`` writes traces and exercises beside the chapters. The prices come out of a result file:
in docs/course, ``wsgi-core overhead --apps step_0=step_0_protocol:application ... --request sum.http --out DIR``, then
``python -m tests.docs.course DIR/results.json``.
"""

from __future__ import annotations

import contextlib
import runpy
import sys
import typing as t
from io import BytesIO, StringIO
from pathlib import Path
from types import FrameType

from werkzeug.test import Client

from loadtests.instrument.results import Results
from loadtests.instrument.stats import Estimate
from loadtests.report.analysis import summarise_experiment
from wsgi_core.commands.learn.command import exercises_of
from wsgi_core.trace import trace

FOLDER = Path(__file__).parents[2] / "docs" / "course"
STEPS = sorted(FOLDER.glob("step_*_*.py"))
# How a proxy or a property finds its value: between the lines of the program, and in every one of them.
_LOOKUPS = {"_ProxyLookup.__get__", "cached_property.__get__"}
LIBRARIES = ("werkzeug", "blinker", "itsdangerous")


def application(step: Path) -> t.Any:
    """The WSGI callable of a step."""
    sys.path.insert(0, str(FOLDER))
    try:
        return runpy.run_path(str(step))["application"]
    finally:
        sys.path.remove(str(FOLDER))


def client(step: Path) -> Client:
    return Client(application(step))


class CallTrace:
    """The calls in the course's programs, and those that they make into a library, indented by depth."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depths: dict[FrameType, int] = {}

    def __call__(self, frame: FrameType, event: str, argument: t.Any) -> None:
        name = frame.f_code.co_qualname.replace("<locals>.", "")
        if event != "call" or name.startswith("<") or name in _LOOKUPS:
            return
        where = self._where(frame)
        caller = frame.f_back
        ours = where.startswith("step_")
        # A library's own calls are its own affair, unless they lead back here.
        if not where or not (ours or caller in self.depths):
            return
        depth = 1 + max((self.depths[each] for each in self._callers(caller)), default=-1)
        if ours:
            self.depths[frame] = depth
        self.lines.append(f"{'  ' * depth + name:50}{where}".rstrip())

    def _callers(self, frame: FrameType | None) -> t.Iterator[FrameType]:
        while frame is not None:
            if frame in self.depths:
                yield frame
            frame = frame.f_back

    @staticmethod
    def _where(frame: FrameType) -> str:
        file = Path(frame.f_code.co_filename)
        if file.parent == FOLDER:
            return file.name
        return next((name for name in LIBRARIES if name in file.parts), "")


def calls(step: Path) -> str:
    """The calls that ``POST /sum`` makes, after one request that filled the caches."""
    asked = client(step)
    environ = asked.post("/sum", json=[1, 2, 3]).request.environ
    environ = {key: value for key, value in environ.items() if not key.startswith("werkzeug.")}
    environ["wsgi.input"] = BytesIO(b"[1, 2, 3]")
    seen = CallTrace()
    with contextlib.redirect_stderr(StringIO()):
        sys.setprofile(seen)
        try:
            asked.application(environ, lambda *args: None)
        finally:
            sys.setprofile(None)
    return "".join(f"{line}\n" for line in seen.lines)


def events(step: Path) -> str:
    """The events of ``POST /sum`` in a program that is on a framework."""
    asked = trace(application(step), "/sum", method="POST", json=[1, 2, 3])
    return "".join(f"{event}\n" for event in asked.events)


def exercises(chapter: int) -> str:
    """The chapter's exercises as Markdown."""
    tasks = "\n".join(f"- **{each.letter})** {each.task}" for each in exercises_of(chapter))
    start = f"`wsgi-core learn start {chapter}` copies the program into your folder"
    return f"{start}, `wsgi-core learn check {chapter}` says what is still missing.\n\n{tasks}\n"


def texts() -> dict[str, str]:
    """What each file beside the chapters must hold, by its name."""
    made = {}
    for number, step in enumerate(STEPS):
        on_a_framework = number >= 8
        made[f"step_{number}.trace.txt"] = events(step) if on_a_framework else calls(step)
        made[f"step_{number}.exercises.md"] = exercises(number)
    return made


def prices(results: Path) -> dict[str, str]:
    """What each step costs, from the results of ``wsgi-core overhead --apps`` with the steps in their order."""
    measured = Results.read(results)
    found = summarise_experiment(measured.experiments[0].model_copy(update={"ladder": True}))
    made = {}
    for number, cost in enumerate(found.costs):
        text = f"One request costs **{shown(cost.cost)} µs** of CPU time"
        if cost.step is not None:
            text += f", {shown(cost.step)} µs more than in the chapter before" if cost.step.value > 0 else ""
        where = f"on {measured.environment['cpu']}, {measured.environment['python'].split(' (')[0]}"
        made[f"step_{number}.price.md"] = (
            f"{text} (95 % interval in parentheses; in process, {found.processes} processes, {where},"
            f" {measured.started[:10]}).\n"
        )
    return made


def shown(estimate: Estimate) -> str:
    """A figure and its interval, three digits each."""
    return f"{estimate.value:.3g} ({estimate.low:.3g} to {estimate.high:.3g})"


def main() -> None:
    """Write the traces and the exercises, and with a result file as argument the prices."""
    for name, text in (prices(Path(sys.argv[1])) if sys.argv[1:] else texts()).items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
