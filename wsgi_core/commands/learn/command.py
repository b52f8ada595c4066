"""``wsgi-core learn``: list the chapters, copy the programs of the course, and check the exercises."""

from __future__ import annotations

import difflib
import itertools
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ...shared.files import replace_file
from .checker import Verdict, check
from .exercises import EXERCISES, Exercise, exercise_named, exercises_of
from .solutions import solved

CHAPTERS = (
    "the protocol", "Request", "Response", "routing", "contexts and proxies", "hooks", "teardown and errors",
    "blueprints, signals, sessions", "a model behind it", "what Flask adds",
)  # fmt: skip
# A file in the learner's folder, with the number of failed checks of each exercise.
_TRIES = ".wsgi-core-learn.json"
chapter_argument = click.argument("chapter", type=click.IntRange(0, len(CHAPTERS) - 1), metavar="N")
exercise_argument = click.argument(
    "name", type=click.Choice([each.name for each in EXERCISES]), metavar="EXERCISE"
)  # fmt: skip
folder_option = click.option(
    "--dir",
    "folder",
    default=".",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of your programs. [default: the current folder]",
)


def steps_folder() -> Path:
    """Return the folder of the course's programs, which is in the checkout or in the installed package."""
    # wsgi_core.inference cannot be imported here, because the playground in a browser does not have it.
    checkout = Path(__file__).parents[3] / "docs" / "course"
    return checkout if checkout.is_dir() else Path(__file__).parents[2] / "_course"


def step_source(chapter: int) -> Path:
    """Return the path of the course's program for a chapter."""
    (found,) = steps_folder().glob(f"step_{chapter}_*.py")
    return found


def step_file(folder: Path, chapter: int) -> Path:
    """Return the path of the learner's program for a chapter.

    Raises click.ClickException if the file does not exist.
    """
    file = folder / step_source(chapter).name
    if not file.is_file():
        raise click.ClickException(f"{file} does not exist. Begin with: wsgi-core learn start {chapter}")
    return file


@click.group("learn", short_help="Work through the course's exercises.")
def learn_command() -> None:
    """Work through the course: ten chapters, from a WSGI function to Flask."""


@learn_command.command("list")
def list_command() -> None:
    """List the chapters."""
    for number, title in enumerate(CHAPTERS):
        click.echo(f"{number}  {title:30}  {step_source(number).name}")


@learn_command.command("start")
@chapter_argument
@click.option("--dir", "folder", default=".", type=click.Path(file_okay=False, path_type=Path),
              help="The folder of your programs. [default: the current folder]")  # fmt: skip
@click.option("--reset", is_flag=True, help="Replace your program of chapter N. The old file gets the ending .mine.")
def start_command(chapter: int, folder: Path, reset: bool) -> None:
    """Copy the programs of chapters 0 to N, and show the exercises.

    Work on your copy of the program of chapter N. Existing files are kept. --reset replaces only the program of chapter
    N.
    """
    file = folder / step_source(chapter).name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if reset and file.exists():
            file.rename(_free_name(file))
        copied = [_copy(number, folder) for number in range(chapter + 1)]
    except OSError as e:
        raise click.ClickException(f"{e.filename or folder}: {e.strerror}. Choose another folder with --dir.") from e
    click.echo(f"Work on {file}" + (":" if copied[-1] else " (it exists already, and is unchanged):"))
    for exercise in exercises_of(chapter):
        click.echo(f"\n{exercise.letter}) {exercise.task}")
    click.echo(f"\nThen: wsgi-core learn check {chapter}{_dir(folder)}")


def _free_name(file: Path) -> Path:
    """Return the first of FILE.mine, FILE.mine2, FILE.mine3, ... that does not exist."""
    names = (file.with_name(f"{file.name}.mine{number}") for number in itertools.chain([""], itertools.count(2)))
    return next(name for name in names if not name.exists())


def _copy(chapter: int, folder: Path) -> bool:
    """Copy the program of a chapter into `folder`, unless the file exists there.

    Return whether the program was copied.
    """
    source = step_source(chapter)
    try:
        # "x" creates a new file, and does not follow a dangling symbolic link.
        with open(folder / source.name, "xb") as file:
            file.write(source.read_bytes())
    except FileExistsError:
        return False
    return True


def _dir(folder: Path) -> str:
    return "" if folder == Path() else f" --dir {folder}"


@learn_command.command("run")
@chapter_argument
@folder_option
def run_command(chapter: int, folder: Path) -> None:
    """Run your program of chapter N until Ctrl-C. The address is http://127.0.0.1:8000."""
    try:
        sys.exit(subprocess.run([sys.executable, str(step_file(folder, chapter))], check=False).returncode)
    except KeyboardInterrupt:
        click.echo()


@learn_command.command("hint")
@exercise_argument
def hint_command(name: str) -> None:
    """Show a hint for an exercise, such as 0a."""
    exercise = exercise_named(name)
    click.echo(f"{exercise.hint}\nSimilar code: {exercise.similar_code}.")


@learn_command.command("solution")
@exercise_argument
def solution_command(name: str) -> None:
    """Show a solution of an exercise, such as 0a, as a diff."""
    source = step_source(exercise_named(name).chapter)
    text = source.read_text(encoding="utf-8")
    lines = difflib.unified_diff(
        text.splitlines(), solved(name, text).splitlines(), source.name, f"{source.name}, solved", lineterm="", n=2
    )
    click.echo("\n".join(lines))


@learn_command.command("check")
@click.argument("chapter", type=click.IntRange(0, len(CHAPTERS) - 1), metavar="[N]", required=False)
@folder_option
@click.option("--all", "everything", is_flag=True, help="Check all chapters, in each subfolder that has programs.")
def check_command(chapter: int | None, folder: Path, everything: bool) -> None:
    """Check your solutions of the exercises of chapter N.

    The check of an exercise ends after at most 10 seconds, or from chapter 8 on after at most 40 seconds. Exit code 0:
    all exercises are solved; 1: an exercise is not solved, or a program is missing.
    """
    if everything:
        sys.exit(0 if _check_learners(folder) else 1)
    if chapter is None:
        raise click.UsageError("Which chapter? Write wsgi-core learn check 0, or wsgi-core learn check --all.")
    file = step_file(folder, chapter)
    verdicts = [_check_and_print(file, exercise) for exercise in exercises_of(chapter)]
    if all(verdicts):
        click.echo(after_success(chapter))
    sys.exit(0 if all(verdicts) else 1)


def _check_and_print(file: Path, exercise: Exercise) -> bool:
    verdict = check(file, exercise)
    tries = count_try(file.parent, exercise, verdict.solved)
    click.secho(
        f"{exercise.letter}) {'solved' if verdict.solved else 'not yet'}",
        fg="green" if verdict.solved else "yellow",
        nl=False,
    )
    click.echo(f": {exercise.task}")
    for line in advice(exercise, verdict, tries):
        click.echo(f"   {line}")
    return verdict.solved


def advice(exercise: Exercise, verdict: Verdict, tries: int) -> list[str]:
    """Return the lines to print after a check. If the exercise is solved, return [].

    `tries` is the number of failed checks in a row. From 2 on, the lines name similar code. From 3 on, they also name
    the command that shows a solution.
    """
    if verdict.solved:
        return []
    lines = [verdict.message]
    if verdict.last_request:
        lines.append(f"The request: {verdict.last_request}")
    lines.append(f"Hint: {exercise.hint}")
    if tries > 1:
        lines.append(f"Similar code: {exercise.similar_code}.")
    return [*lines, f"To see a solution: wsgi-core learn solution {exercise.name}"] if tries > 2 else lines


def after_success(chapter: int) -> str:
    """Return the text to print when all exercises of a chapter are solved."""
    if chapter + 1 == len(CHAPTERS):
        return "This was the last chapter. Step through your own app: wsgi-core trace GET / --app FILE --html page.html"
    return f"Chapter {chapter} is done. Next, {CHAPTERS[chapter + 1]}: wsgi-core learn start {chapter + 1}"


def count_try(folder: Path, exercise: Exercise, is_solved: bool) -> int:
    """Store the result of a check in `folder`. Return how many checks of the exercise have failed in a row.

    If `is_solved` is true, the number is 0. If the file with the numbers cannot be written, later calls do not count
    this check.
    """
    file = folder / _TRIES
    try:
        tries = dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        tries = {}
    before = tries.get(exercise.name, 0)
    tries[exercise.name] = 0 if is_solved else (before if isinstance(before, int) else 0) + 1
    try:
        # APPSEC: replace_file does not follow a symbolic link, which another user may have created.
        replace_file(file, json.dumps(tries).encode())
    except OSError:
        pass  # the folder is not writable, so the next check does not count this check
    return int(tries[exercise.name])


def _check_learners(folder: Path) -> bool:
    """Check the programs in each subfolder of `folder`. Print one line for each subfolder that has programs, and then
    the total.

    If no subfolder has programs, check the programs in `folder`. The exercises of a chapter without a program are not
    checked. Return whether all checked exercises are solved. Raises click.ClickException if there are no programs.
    """
    learners = [each for each in sorted(folder.iterdir()) if each.is_dir() and _chapters_in(each)] or [folder]
    if not any(map(_chapters_in, learners)):
        raise click.ClickException(f"{folder} has no programs of the course. Begin with: wsgi-core learn start 0")
    width = max(len(learner.name or ".") for learner in learners)
    found: list[bool] = []
    for learner in learners:
        verdicts = {
            each.name: check(learner / step_source(each.chapter).name, each).solved for each in _exercises_in(learner)
        }
        found += verdicts.values()
        shown = "  ".join(f"{name} {'solved ' if is_solved else 'not yet'}" for name, is_solved in verdicts.items())
        click.echo(f"{learner.name or '.':{width}}  {shown}".rstrip())
    click.echo(f"{sum(found)} of {len(found)} solved.")
    return all(found)


def _chapters_in(folder: Path) -> Sequence[int]:
    return [number for number in range(len(CHAPTERS)) if (folder / step_source(number).name).is_file()]


def _exercises_in(folder: Path) -> list[Exercise]:
    return [exercise for number in _chapters_in(folder) for exercise in exercises_of(number)]
