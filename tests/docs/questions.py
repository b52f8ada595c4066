"""Run the programs of docs/questions on both frameworks: their output, and the events of one request.

``python -m tests.docs.questions`` runs the programs on Flask, and writes the output and the events beside them.
"""

from __future__ import annotations

import contextlib
import io
import typing as t
from pathlib import Path

from wsgi_core.trace import build_environ, recording

FOLDER = Path(__file__).parents[2] / "docs" / "questions"
PROGRAMS = sorted(FOLDER.glob("*.py"))
PATHS = {
    "order_of_signals": "/fails", "proxies_and_threads": "/one", "streaming_and_the_context": "/kept",
    "teardown_and_handlers": "/handled",
}  # fmt: skip
ON_THE_CORE = (
    ("from flask import Flask", "from wsgi_core import App as Flask"),
    ("import flask\n", "import wsgi_core as flask\n"),
)


def source(program: Path, framework: str) -> str:
    """Return the program's text. For the core, the imports are replaced by the core's."""
    text = program.read_text(encoding="utf-8")
    for flask, core in ON_THE_CORE if framework == "wsgi_core" else ():
        text = text.replace(flask, core)
    return text


def namespace(program: Path, framework: str, name: str) -> dict[str, t.Any]:
    """Run the program as the module ``name``, and return its namespace."""
    names: dict[str, t.Any] = {"__name__": name, "__file__": str(program)}
    exec(compile(source(program, framework), str(program), "exec"), names)
    return names


def printed(program: Path, framework: str) -> str:
    """Return the output of the program when it runs as a script."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        namespace(program, framework, "__main__")
    return out.getvalue()


def traced(program: Path, framework: str) -> str:
    """Return the events of one request to the program's app, one per line."""
    names = namespace(program, framework, "question")
    if "together" in names:  # the program waits for two requests, but the trace has only one
        names["together"].abort()
        names["together"] = type(names["together"])(1)
    app = names["create_app"]()
    app.logger.disabled = True
    with contextlib.redirect_stdout(io.StringIO()), recording(app, signals=program.stem == "order_of_signals") as seen:
        with contextlib.suppress(OSError):
            seen.send(build_environ(seen.wsgi, PATHS.get(program.stem, "/")))
        return "".join(f"{event}\n" for event in seen.events)


def main() -> None:
    """Write the programs' output and traces."""
    for program in PROGRAMS:
        for kind, make in (("output", printed), ("trace", traced)):
            text = make(program, "flask")
            program.with_suffix(f".{kind}.txt").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
