"""A learner's program, loaded from its file and asked as a client would."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
import traceback
import typing as t
from collections.abc import Iterator
from pathlib import Path

from werkzeug.test import Client, TestResponse


class NotYet(Exception):
    """A check that fails: says what was asked, what came and what was expected."""


class Program:
    """The module in ``file``, and a client of its ``application``.

    Raises NotYet if it can't be imported or has no ``application``.
    """

    def __init__(self, file: Path) -> None:
        self.folder = file.parent
        with _importing_from(file.parent):
            spec = importlib.util.spec_from_file_location(f"learner_{file.stem}", file)
            assert spec is not None
            assert spec.loader is not None
            self.module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = self.module
            try:
                spec.loader.exec_module(self.module)
            except Exception as e:
                raise NotYet(f"{file.name} can't be imported: {type(e).__name__}: {e}") from e
        if not callable(getattr(self.module, "application", None)):
            raise NotYet(f"{file.name} has no callable named 'application'.")
        self.client = Client(self.module.application)

    def __getattr__(self, name: str) -> t.Any:
        """A name that the program defines; NotYet if it doesn't."""
        try:
            return getattr(self.module, name)
        except AttributeError:
            raise NotYet(f"The program defines no {name!r}.") from None

    def send(self, method: str, path: str, **options: t.Any) -> TestResponse:
        """The answer to one request; ``options`` are those of Werkzeug's test client. NotYet if it raises."""
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                response = self.client.open(path, method=method, **options)
                response.get_data()  # what is wrong with the body shows only when it is read
            except Exception as e:
                raise NotYet(f"{method} {path} raised {type(e).__name__}: {e}{self._line_of(e)}") from e
            return response

    def _line_of(self, error: Exception) -> str:
        """The last line of the learner's files that ``error`` came through, in parentheses."""
        frames = traceback.extract_tb(error.__traceback__)
        lines = [
            f"{Path(frame.filename).name}, line {frame.lineno}" for frame in frames if self._is_ours(frame.filename)
        ]
        return f" ({lines[-1] if lines else 'in no line of yours: look at what the server is given'})"

    def _is_ours(self, file: str) -> bool:
        return Path(file).parent == self.folder


@contextlib.contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Let the program import the steps beside it, those of this folder and no other."""
    before = {name for name in sys.modules if name.startswith("step_")}
    for name in before:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.startswith("step_")]:
            del sys.modules[name]


def expect(what: str, found: object, wanted: object) -> None:
    """NotYet unless ``found`` is ``wanted``."""
    if found != wanted:
        raise NotYet(f"{what}: expected {wanted!r}, got {found!r}.")


def expect_answer(
    program: Program, method: str, path: str, status: int, wanted: t.Any = ..., **options: t.Any
) -> t.Any:
    """The answer to a request, its status and (unless ``...``) its JSON as wanted; NotYet otherwise."""
    response = program.send(method, path, **options)
    expect(f"{method} {path}: status", response.status_code, status)
    if wanted is not ...:
        try:
            found = response.get_json(force=True)
        except Exception:
            raise NotYet(f"{method} {path}: the body is no JSON: {response.get_data()[:60]!r}.") from None
        expect(f"{method} {path}: body", found, wanted)
    return response
