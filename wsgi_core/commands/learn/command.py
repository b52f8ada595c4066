"""``wsgi-core learn``: the chapters, a copy to work on, and the checks."""

from __future__ import annotations

import shutil
import sys
import typing as t
from pathlib import Path

import click

from .exercises import EXERCISES, Exercise
from .program import NotYet, Program

CHAPTERS = (
    "the protocol", "Request", "Response", "routing", "contexts and proxies", "hooks and teardown", "errors",
    "blueprints, signals, sessions", "a model behind it", "what Flask adds",
)  # fmt: skip
chapter_argument = click.argument("chapter", type=click.IntRange(0, len(CHAPTERS) - 1), metavar="N")


def steps_folder() -> Path:
    """Where the course's programs are: in the checkout, or in the installed package."""
    from ...inference.bundled import bundled_folder

    return bundled_folder("docs", "course")


def step_file(folder: Path, chapter: int) -> Path:
    """The program of a chapter in ``folder``. Raises click.ClickException if there is none."""
    found = sorted(folder.glob(f"step_{chapter}_*.py"))
    if not found:
        raise click.ClickException(f"{folder} has no step_{chapter}_*.py. Begin with: wsgi-core learn start {chapter}")
    return found[0]


@click.group("learn", short_help="Work through the course: exercises, and their checks.")
def learn_command() -> None:
    """Work through the course: from a function to Flask, in ten chapters."""


@learn_command.command("list")
def list_command() -> None:
    """Show the chapters."""
    for number, title in enumerate(CHAPTERS):
        click.echo(f"{number}  {title:30}  {step_file(steps_folder(), number).name}")


@learn_command.command("start")
@chapter_argument
@click.option("--dir", "folder", default=".", type=click.Path(file_okay=False, path_type=Path), help="Where to.")
def start_command(chapter: int, folder: Path) -> None:
    """Copy the programs up to chapter N into a folder, to be changed there, and show the exercises.

    A file that is there already stays as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(chapter + 1):
        source = step_file(steps_folder(), number)
        if not (folder / source.name).exists():
            shutil.copyfile(source, folder / source.name)
    click.echo(f"Work on {folder / step_file(folder, chapter).name}:")
    for exercise in exercises_of(chapter):
        click.echo(f"\n{exercise.letter}) {exercise.task}")
    click.echo(f"\nThen: wsgi-core learn check {chapter}" + ("" if folder == Path() else f" --dir {folder}"))


@learn_command.command("check")
@chapter_argument
@click.option(
    "--dir", "folder", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Where it is."
)
def check_command(chapter: int, folder: Path) -> None:
    """Check your program for chapter N, in the current folder.

    Exit code 0: all are solved; 1: not yet.
    """
    file = step_file(folder, chapter)
    solved = [check(file, exercise) for exercise in exercises_of(chapter)]
    sys.exit(0 if all(solved) else 1)


def exercises_of(chapter: int) -> list[Exercise]:
    """The exercises of a chapter, in order."""
    return [exercise for exercise in EXERCISES if exercise.chapter == chapter]


def check(file: Path, exercise: Exercise) -> bool:
    """Whether the program in ``file`` solves the exercise; says so, and if not, why."""
    try:
        exercise.check(Program(file.resolve()))
    except NotYet as e:
        _say("not yet", "yellow", exercise, f"   {e}\n   Compare with {exercise.look}.")
        return False
    _say("solved", "green", exercise, "")
    return True


def _say(verdict: str, colour: str, exercise: Exercise, details: t.Any) -> None:
    click.secho(f"{exercise.letter}) {verdict}", fg=colour, nl=False)
    click.echo(f": {exercise.task}")
    if details:
        click.echo(details)
