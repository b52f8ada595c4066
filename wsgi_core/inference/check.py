"""The check of all models in a folder. Unlike `ModelRepository`, the check does not stop at the first error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import ModelError
from .folders import CARD, MODEL, find_models, is_hidden, is_version, subfolders
from .model import Model
from .repository import load_model
from .settings import DEFAULTS, RuntimeSettings


@dataclass(frozen=True, slots=True)
class Report:
    """The result of `check_repository`.

    models: the models that can be served
    problems: one line for each problem with a model, a folder or a file
    remarks: one line for each other fact that the operator should know, such as a skipped folder
    """

    models: list[Model]
    problems: list[str]
    remarks: list[str]


def check_repository(
    directory: Path, settings: RuntimeSettings = DEFAULTS, own_settings: Mapping[str, RuntimeSettings] | None = None
) -> Report:
    """Load every version of every model in `directory`, and report the models, the problems and the remarks.

    If `directory` or a model's folder cannot be listed, no model is loaded, and this problem is the whole report.
    `own_settings` maps the names of models to settings that override `settings`.
    """
    own = own_settings or {}
    report = Report([], [], [])
    try:
        found = find_models(directory)
        folders = subfolders(directory)
    except ModelError as error:
        return Report([], [str(error)], [])
    for each in found:
        try:
            report.models.append(load_model(each, settings=settings.overridden(own.get(each.name))))
        except ModelError as error:
            report.problems.append(str(error))
    if not found:
        report.problems.append(f"{directory}: no model found; expected <name>/<version>/{MODEL}")
    for folder in folders:
        misplaced = [] if is_hidden(folder) else list(_misplaced(folder))
        report.problems.extend(misplaced)
        report.remarks.extend(_skipped(folder, bool(misplaced)))
    for model in report.models:
        report.remarks.extend(f"{model.path}: {warning}" for warning in model.warnings)
        if model.card is None:
            report.remarks.append(f"{model.path}: no {CARD}, so the model accepts only tensors")
    return report


def _misplaced(folder: Path) -> Iterator[str]:
    """Yield a line about ONNX files that are never loaded, because their name or the name of their folder is wrong."""
    for path in sorted(folder.glob("*.onnx")):
        yield f"{path}: not in the folder of a version; move it to {folder.name}/1/{MODEL}"
    for inner in subfolders(folder):
        models = sorted(inner.glob("*.onnx"))
        if models and not is_version(inner.name):
            yield f"{inner}: {inner.name!r} is not a version; expected a whole number from 1, such as {folder.name}/1"
        elif models and not (inner / MODEL).exists():
            yield f"{models[0]}: must be named {MODEL}"


def _skipped(folder: Path, has_problem: bool) -> Iterator[str]:
    """Yield a line if `folder` is skipped when models are loaded. Otherwise, yield a line for each skipped subfolder.

    `has_problem` says whether `_misplaced` has reported a problem in `folder`. Subfolders with ONNX files are not
    reported here, because `_misplaced` reports them.
    """
    if is_hidden(folder):
        yield f"{folder}: skipped, because its name begins with {folder.name[0]!r}"
        return
    inner = [each for each in subfolders(folder) if not is_version(each.name)]
    if len(inner) == len(subfolders(folder)) and not has_problem and not (folder / CARD).exists():
        yield f"{folder}: skipped, because it has no version; expected {folder.name}/1/{MODEL}"
        return
    for each in inner:
        if not any(each.glob("*.onnx")):
            yield f"{each}: skipped, because {each.name!r} is not a version"
