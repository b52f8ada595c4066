"""Check a learner's program, in a separate process, because the program may never end.

The command of the process is ``python -m wsgi_core.commands.learn.checker FILE EXERCISE OUT``. The process writes JSON
Lines to OUT: each request before it is sent, and then the verdict. The verdict is missing if the program ends the
process, or if the process is killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import typing as t
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from .exercises import Exercise, exercise_named
from .program import NotYet, Program

SECONDS = 10.0
# The time limit for chapters whose programs load models.
SECONDS_WITH_MODELS = 40.0
_FIRST_WITH_MODELS = 8


@dataclass(frozen=True)
class Verdict:
    """The result of a check. If the exercise is solved, only `solved` is set.

    message: the reason why the exercise is not solved
    line: the number of the program's line that failed, or None if the line is not known
    last_request: the last request as a curl command, or an empty string if no request was sent
    """

    solved: bool
    message: str = ""
    line: int | None = None
    last_request: str = ""


def check_here(file: Path, exercise: Exercise, report: Callable[[str], object] = lambda request: None) -> Verdict:
    """Check the program in this process. Before each request, `report` is called with the request as a curl command.

    If the program has an endless loop, this function never returns. If the program calls os._exit, this process ends.
    """
    program = None
    try:
        program = Program(file.resolve(), report)
        program.run_check(exercise.check)
    except NotYet as e:
        return Verdict(False, str(e), e.line, program.last_request if program is not None else "")
    return Verdict(True)


def check(file: Path, exercise: Exercise, seconds: float | None = None) -> Verdict:
    """Check the program in a separate process, which is killed after `seconds`.

    The default is `SECONDS`, or `SECONDS_WITH_MODELS` for the chapters whose programs load models.
    """
    if seconds is None:
        seconds = SECONDS_WITH_MODELS if exercise.chapter >= _FIRST_WITH_MODELS else SECONDS
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "verdict"
        out.touch()
        has_ended = _run_checker([str(file.resolve()), exercise.name, str(out)], seconds)
        lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    if lines and "verdict" in lines[-1]:
        return Verdict(**lines[-1]["verdict"])
    return Verdict(
        False, _without_verdict(has_ended, file, bool(lines), seconds), None, lines[-1]["request"] if lines else ""
    )


def _run_checker(arguments: list[str], seconds: float) -> bool:
    """Run `main` in a separate process. Return whether the process ended before it had to be killed."""
    # -P: do not import modules from the current folder, because a file there may have the name of a standard module.
    command = [sys.executable, "-P", "-m", __name__, *arguments]
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    nothing = subprocess.DEVNULL
    try:
        subprocess.run(
            command, stdin=nothing, stdout=nothing, stderr=nothing, timeout=seconds, check=False,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return True


def _without_verdict(has_ended: bool, file: Path, has_sent: bool, seconds: float) -> str:
    if has_ended:
        return "The program ended the process, so its responses cannot be checked. Remove os._exit."
    if has_sent:
        return f"There was no response within {seconds:g} seconds. Look for an endless loop."
    return (
        f"{file.name} was not imported within {seconds:g} seconds. If it starts a server when it is imported, put that"
        ' below: if __name__ == "__main__":'
    )


def main(file: str, name: str, out: str) -> None:
    """Check the program in `file` against the exercise `name`, such as ``0a``. Write the result to the file `out`.

    The module's docstring describes the format of `out`.
    """

    def write(value: dict[str, t.Any]) -> None:
        with open(out, "a", encoding="utf-8") as opened:
            opened.write(json.dumps(value) + "\n")

    verdict = check_here(Path(file), exercise_named(name), lambda request: write({"request": request}))
    write({"verdict": asdict(verdict)})


if __name__ == "__main__":
    main(*sys.argv[1:])
