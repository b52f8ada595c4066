"""Look through a model repository and tell everything that is wrong with it, not just the first of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import ModelError
from .folders import CARD, MODEL, find_models, is_version, subfolders
from .model import Model
from .repository import load_model


@dataclass(frozen=True, slots=True)
class Report:
    """What can be served, what is wrong (each a line: what, where, what to do), and what is worth knowing."""

    models: list[Model]
    problems: list[str]
    remarks: list[str]


def check_repository(directory: Path) -> Report:
    """Load every version of every model below a folder, and look at what else lies there."""
    report = Report([], [], [])
    try:
        found = find_models(directory)
        folders = subfolders(directory)
    except ModelError as error:
        return Report([], [str(error)], [])
    for each in found:
        try:
            report.models.append(load_model(each))
        except ModelError as error:
            report.problems.append(str(error))
    if not found:
        report.problems.append(f"{directory}: no model here; expected <name>/<version>/{MODEL}")
    for folder in folders:
        report.problems.extend(_misplaced(folder))
    report.remarks.extend(_remarks(report.models))
    return report


def _misplaced(folder: Path) -> Iterator[str]:
    """Files that look like models but will never be looked at."""
    for path in sorted(folder.glob("*.onnx")):
        yield f"{path}: not inside a version; move it to {folder.name}/1/{MODEL}"
    for inner in subfolders(folder):
        models = sorted(inner.glob("*.onnx"))
        if models and not is_version(inner.name):
            yield f"{inner}: {inner.name!r} is not a version; expected a whole number from 1, such as {folder.name}/1"
        elif models and not (inner / MODEL).exists():
            yield f"{models[0]}: must be called {MODEL}"


def _remarks(models: list[Model]) -> Iterator[str]:
    """What is not wrong but may not be meant."""
    for model in models:
        if model.card is None:
            yield f"{model.path}: no {CARD}, so it takes raw tensors alone"
