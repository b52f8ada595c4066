"""Load a learner's program from its file, and test it with requests."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
import traceback
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

from werkzeug.test import Client, EnvironBuilder, TestResponse

from .curl import curl_line
from .protocol import StrictServer

_SIGNATURE = "The server calls application(environ, start_response)."


class NotYet(Exception):
    """Raised if a program has not solved an exercise. The message is the reason.

    `line` is the number of the program's line that failed, or None if the line is not known.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class Program:
    """A learner's program: the module in `file`, with a test client for its WSGI callable `application`.

    Before each request, `report` is called with the request as a curl command. `last_request` is the last of these
    commands. Raises NotYet if the file cannot be imported, or has no callable `application`.
    """

    def __init__(self, file: Path, report: Callable[[str], object] = lambda request: None) -> None:
        self.file = file
        self.last_request = ""
        self._report = report
        with importing_from(file.parent):
            spec = importlib.util.spec_from_file_location(f"learner_{file.stem}", file)
            assert spec is not None
            assert spec.loader is not None
            self.module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = self.module
            try:
                spec.loader.exec_module(self.module)
            except (Exception, SystemExit) as e:
                raise NotYet(f"{file.name} can't be imported: {self._describe(e)}", self._line_of(e)) from e
        if not callable(getattr(self.module, "application", None)):
            raise NotYet(f"{file.name} has no callable named 'application'.")
        self.server = StrictServer(self.module.application)
        self.client = Client(self.server)

    def __getattr__(self, name: str) -> t.Any:
        """Return the object that the program defines under this name. Raises NotYet if there is no such object."""
        try:
            return getattr(self.module, name)
        except AttributeError:
            raise NotYet(f"The program does not define {name!r}.") from None

    def send(self, method: str, path: str, **options: t.Any) -> TestResponse:
        """Send one request and return the response. `options` are arguments of Werkzeug's test client.

        Raises NotYet if the application raises an exception, or if it violates PEP 3333.
        """
        self.record_request(method, path, **options)
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                response = self.client.open(path, method=method, buffered=True, **options)
            except (Exception, SystemExit) as e:
                said = f": this violates WSGI. {e}" if self._is_violation(e) else f" raised {self._describe(e)}"
                raise NotYet(f"{method} {path}{said}", self._line_of(e)) from e
        if self.server.broken:
            raise NotYet(f"{method} {path}: {self.server.broken[0]}")
        return response

    def run_check(self, check: Callable[[Program], object]) -> None:
        """Call a check with this program. Raises NotYet if the check raises any exception, such as AttributeError."""
        try:
            check(self)
        except NotYet:
            raise
        except (Exception, SystemExit) as e:
            raise NotYet(f"The check raised {self._describe(e)}", self._line_of(e)) from e

    def record_request(self, method: str, path: str, **options: t.Any) -> None:
        """Set `last_request` to the curl command of a request, and call `report` with this command.

        The request is not sent.
        """
        builder = EnvironBuilder(path, method=method, **options)
        environ = builder.get_environ()
        body = environ["wsgi.input"].read().decode("utf-8", "backslashreplace")
        headers = [(name, value) for name, value in builder.headers.items() if name not in ("Content-Length", "Host")]
        if builder.content_type and not any(name == "Content-Type" for name, _ in headers):
            headers.append(("Content-Type", builder.content_type))
        self.last_request = curl_line(method, path, headers, body)
        self._report(self.last_request)

    def _describe(self, error: BaseException) -> str:
        """Return a description of the error, with the file and the line of the program where the error occurred."""
        text = str(error)
        if isinstance(error, SystemExit):
            text += " (the program ends the process: remove sys.exit)"
        elif isinstance(error, TypeError) and "application() " in text:
            text += f". {_SIGNATURE}"
        line = self._line_of(error)
        place = (
            f"{self._file_of(error)}, line {line}" if line else "not in a line of your program: check what you return"
        )
        return f"{type(error).__name__}: {text} ({place})"

    def _frames(self, error: BaseException) -> list[traceback.FrameSummary]:
        frames = traceback.extract_tb(error.__traceback__)
        return [frame for frame in frames if Path(frame.filename).parent == self.file.parent]

    @staticmethod
    def _is_violation(error: BaseException) -> bool:
        return Path(traceback.extract_tb(error.__traceback__)[-1].filename).name == "validate.py"

    def _file_of(self, error: BaseException) -> str:
        return Path(frames[-1].filename).name if (frames := self._frames(error)) else self.file.name

    def _line_of(self, error: BaseException) -> int | None:
        """Return the number of the program's line at which the error occurred, or None if the line is not known."""
        if isinstance(error, SyntaxError):
            return error.lineno
        return frames[-1].lineno if (frames := self._frames(error)) else None


@contextlib.contextmanager
def importing_from(folder: Path) -> Iterator[None]:
    """Put `folder` first on `sys.path` inside the ``with`` block.

    The programs of the chapters are modules named `step_*`. The modules of other folders have the same names. So these
    modules are removed from `sys.modules` before the block and after it.
    """
    for name in [name for name in sys.modules if name.startswith("step_")]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.startswith("step_")]:
            del sys.modules[name]


def expect(what: str, found: object, wanted: object) -> None:
    """Raise NotYet unless `found` equals `wanted`. In the message, `what` says what was compared."""
    if found != wanted:
        raise NotYet(f"{what}: expected {wanted!r}, got {found!r}.")


def expect_answer(
    program: Program, method: str, path: str, status: int, wanted: t.Any = ..., **options: t.Any
) -> t.Any:
    """Send one request and return the response.

    Raises NotYet unless the response has the status `status`, and its JSON body equals `wanted`. If `wanted` is
    ``...``, the body is not checked.
    """
    response = program.send(method, path, **options)
    expect(f"{method} {path}: status", response.status_code, status)
    if wanted is not ...:
        try:
            found = response.get_json(force=True)
        except Exception:
            raise NotYet(f"{method} {path}: the body is not JSON: {response.get_data()[:60]!r}.") from None
        expect(f"{method} {path}: body", found, wanted)
    return response
