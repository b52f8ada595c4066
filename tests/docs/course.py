"""Write the files that the chapters of the course include: traces, exercises and prices.

``python -m tests.docs.course`` writes the traces of one request in each program, and the exercises. The prices come
from a result file. To update the prices, run ``wsgi-core overhead --apps step_0=step_0_protocol:application ...
--request sum.http --out DIR`` in docs/course, and then ``python -m tests.docs.course DIR/results.json``.
"""

from __future__ import annotations

import contextlib
import functools
import runpy
import sys
import typing as t
from io import BytesIO, StringIO
from pathlib import Path

from werkzeug.test import Client

from loadtests.instrument.results import Results
from loadtests.instrument.stats import Estimate
from loadtests.report.analysis import summarise_experiment
from wsgi_core.commands.learn.calls import calls_of
from wsgi_core.commands.learn.exercises import exercises_of
from wsgi_core.trace import trace

FOLDER = Path(__file__).parents[2] / "docs" / "course"
STEPS = sorted(FOLDER.glob("step_*_*.py"))


def application(step: Path) -> t.Any:
    """Return the WSGI callable of a step."""
    sys.path.insert(0, str(FOLDER))
    try:
        return runpy.run_path(str(step))["application"]
    finally:
        sys.path.remove(str(FOLDER))


def client(step: Path) -> Client:
    return Client(application(step))


def calls(step: Path) -> str:
    """Return the function calls of one ``POST /sum``, made after a first request has filled the caches."""
    asked = client(step)
    environ = asked.post("/sum", json=[1, 2, 3]).request.environ
    environ = {key: value for key, value in environ.items() if not key.startswith("werkzeug.")}
    environ["wsgi.input"] = BytesIO(b"[1, 2, 3]")
    with contextlib.redirect_stderr(StringIO()):
        lines = calls_of(lambda: asked.application(environ, lambda *args: None), FOLDER)
    return "".join(f"{line}\n" for line in lines)


def events(step: Path) -> str:
    """Return the trace's events of ``POST /sum`` in a program that uses a framework."""
    asked = trace(application(step), "/sum", method="POST", json=[1, 2, 3])
    return "".join(f"{event}\n" for event in asked.events)


def exercises(chapter: int) -> str:
    """Return the chapter's exercises as Markdown."""
    tasks = "\n".join(f"- **{each.letter})** {each.task}" for each in exercises_of(chapter))
    page = f"../playground.html#example={STEPS[chapter].stem}"
    return (
        f'<a href="{page}">Do them in the playground</a>, with nothing installed. Or on your machine:'
        f" `wsgi-core learn start {chapter}` copies the program into your folder, and `wsgi-core learn check {chapter}`"
        f" says what is still missing.\n\n{tasks}\n"
    )


@functools.cache
def texts() -> dict[str, str]:
    """Return the expected contents of each file beside the chapters, by file name."""
    made = {}
    for number, step in enumerate(STEPS):
        on_a_framework = number >= 8
        made[f"step_{number}.trace.txt"] = events(step) if on_a_framework else calls(step)
        made[f"step_{number}.exercises.md"] = exercises(number)
    return made


def prices(results: Path) -> dict[str, str]:
    """Return the price of each step, from the results of ``wsgi-core overhead --apps`` with the steps in order."""
    measured = Results.read(results)
    found = summarise_experiment(measured.experiments[0].model_copy(update={"ladder": True}))
    made = {}
    for number, cost in enumerate(found.costs):
        text = f"One request costs **{cost.cost.value:.3g} µs** of CPU time"
        intervals = bounds(cost.cost)
        if cost.step is not None and cost.step.value > 0:
            text += f", {cost.step.value:.3g} µs more than in the chapter before"
            intervals += f", and {bounds(cost.step)}"
        where = f"on {measured.environment['cpu']}, {measured.environment['python'].split(' (')[0]}"
        made[f"step_{number}.price.md"] = (
            f"{text}. (95 % interval: {intervals}. In process, {found.processes} processes, {where},"
            f" {measured.started[:10]}.)\n"
        )
    return made


def bounds(estimate: Estimate) -> str:
    """Return the interval of a figure as text, with three significant digits."""
    return f"{estimate.low:.3g} to {estimate.high:.3g}"


def main() -> None:
    """Write the traces and the exercises, and the prices if a result file is given."""
    for name, text in (prices(Path(sys.argv[1])) if sys.argv[1:] else texts()).items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
