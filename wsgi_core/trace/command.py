"""The command ``wsgi-core trace``: send a request to one or two apps, and show the traces side by side."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import io
import re
import traceback
import typing as t
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import click

from ..cli import NoAppException, ScriptInfo, parse_app_name, prepare_import
from ..shared.installation import install_command
from .align import compare
from .drive import build_environ, recording, trace
from .events import Trace
from .formatting import printable
from .page import render_page
from .phases import WatchList
from .responses import compare_answers
from .terminal import render, single_trace_rows, terminal_width
from .times import set_median_times

CORE_APP = "wsgi_core.service:create_app"
FLASK_APP = "flask_equiv.service:create_app"
_USUAL_NAMES = ("app", "application", "create_app", "make_app")
_TIMED_RUNS = 50
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)  # RFC 9110, 5.6.2


class TraceError(click.ClickException):
    """Raised if the request cannot be traced. The exit code is 2, as for an invalid option."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def _load(spec: str) -> t.Any:
    """Return the app that `spec` names, as ``module:app`` or ``module:factory``. The module may be a file.

    Without a name, the app is the module's ``app``, ``application``, ``create_app`` or ``make_app``. Raises TraceError
    if the app cannot be loaded.
    """
    module_name, name, *_ = *re.split(r":(?![\\/])", spec, maxsplit=1), ""
    try:
        app = _find(importlib.import_module(prepare_import(module_name)), name)
        WatchList(app)
    except ModuleNotFoundError as e:
        hint = f" Install it with: {install_command('flask')}" if e.name == "flask" else ""
        raise TraceError(f"{spec}: {e}.{hint}{_raised_at(e)}") from e
    except NoAppException as e:
        raise TraceError(e.format_message()) from e
    except Exception as e:
        raise TraceError(f"{spec}: {type(e).__name__}: {e}{_raised_at(e)}") from e
    return app


def _find(module: ModuleType, name: str) -> t.Any:
    attribute, args, kwargs = parse_app_name(name or _usual_name(module))
    found = getattr(module, attribute)
    return found if hasattr(found, "wsgi_app") else found(*args, **kwargs)


def _usual_name(module: ModuleType) -> str:
    for name in _USUAL_NAMES:
        value = getattr(module, name, None)
        if hasattr(value, "wsgi_app") or inspect.isfunction(value):
            return name
    raise NoAppException(f"'{module.__name__}' has none of {', '.join(_USUAL_NAMES)}: write module:name.")


def _raised_at(error: Exception) -> str:
    """Return a space and, in parentheses, the file and the line that raised the error. Frames of importlib are skipped.

    If the last other frame is in the package ``wsgi_core.trace``, return an empty string.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    last = frames[-1]
    return "" if Path(last.filename).parent == Path(__file__).parent else f" ({last.filename}:{last.lineno})"


def _label(app: t.Any) -> str:
    package = WatchList(app).package
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package


def _parse_header(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs = [(name.strip(), value.strip()) for name, _, value in (text.partition(":") for text in values)]
    if not all(":" in text for text in values) or not all(_TOKEN.fullmatch(name) for name, _ in pairs):
        raise click.BadParameter("Write a header as 'Name: value'.", ctx, param)
    if any(re.search(r"[\0\r\n]", value) for _, value in pairs):
        raise click.BadParameter("A header, written as 'Name: value', must be one line.", ctx, param)
    return pairs


def _parse_method(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise click.BadParameter(f"{value!r} is not a valid method.", ctx, param)
    return value.upper()


def _parse_path(ctx: click.Context, param: click.Parameter, value: str) -> str:
    try:
        urlsplit(value)
    except ValueError as e:
        raise click.BadParameter(f"{e}.", ctx, param) from e
    if not value.startswith(("/", "http://", "https://")) or not value.isprintable():
        raise click.BadParameter(
            f"{value!r} is not a path: write a path that begins with '/', or an http URL.", ctx, param
        )
    return value


def _run(app: t.Any, label: str, request: dict[str, t.Any], warm_up: int, **options: bool) -> Trace:
    for _ in range(warm_up):
        with recording(app) as recorded:
            # The log of the warm-up requests is discarded. Otherwise, the same error would appear several times.
            recorded.send(build_environ(app, errors_stream=io.StringIO(), **request))
    return trace(app, label=label, **options, **request)


@click.command("trace", short_help="Trace one request on wsgi_core and on Flask, side by side.")
@click.argument("method", callback=_parse_method)
@click.argument("path", callback=_parse_path)
@click.option("--json", "json_text", metavar="TEXT", help="The body, sent as application/json.")
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    callback=_parse_header,
    help="A header of the request.",
)
@click.option("--app", "core_spec", metavar="MODULE[:FACTORY]", help="The app on wsgi_core. [default: the service]")
@click.option(
    "--flask-app", "flask_spec", metavar="MODULE[:FACTORY]", help="The app on Flask. [default: the service's twin]"
)
@click.option("--signals", is_flag=True, help="Connect a receiver to every signal, so that all signals are shown.")
@click.option(
    "--warm-up", type=click.IntRange(0), default=3, show_default=True, metavar="N",
    help="Before tracing, send the request N times, so that caches are filled.",
)  # fmt: skip
@click.option("--times", is_flag=True, help="Show how long each event took: the median of 50 runs.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write an HTML page to step through the request."
)
@click.pass_context
def trace_command(
    ctx: click.Context,
    method: str,
    path: str,
    json_text: str | None,
    headers: list[tuple[str, str]],
    core_spec: str | None,
    flask_spec: str | None,
    signals: bool,
    warm_up: int,
    times: bool,
    html: Path | None,
) -> None:
    """Trace one request on Flask and on wsgi_core, and show both traces side by side.

    By default, the apps are the service and its twin, which is the same service on Flask. If only one of --app and
    --flask-app is given, only that app gets the request. Each row is an event. A row 'answer' is a difference between
    the responses. Marks: '<' only left, '>' only right, '!' different. Exit code 0: all rows are equal; 1: there is a
    difference; 2: the request cannot be traced.
    """
    core_spec = core_spec or ctx.ensure_object(ScriptInfo).app_import_path
    if core_spec is None and flask_spec is None:
        core_spec, flask_spec = CORE_APP, FLASK_APP
    request: dict[str, t.Any] = {"path": path, "method": method, "headers": headers}
    if json_text is not None:
        request |= {"data": json_text.encode("utf-8", "surrogateescape"), "content_type": "application/json"}
    apps = [(spec, _load(spec)) for spec in (flask_spec, core_spec) if spec is not None]
    labels = [_label(app) for _, app in apps]
    if len(set(labels)) < len(labels):
        labels = [spec for spec, _ in apps]
    options = {"signals": signals, "snapshots": html is not None}
    traces = [_run(app, label, request, warm_up, **options) for (_, app), label in zip(apps, labels, strict=True)]
    if times:
        for (_, app), seen in zip(apps, traces, strict=True):
            set_median_times(seen, [_run(app, seen.label, request, 0, signals=signals) for _ in range(_TIMED_RUNS)])
    all_equal = _show(traces, html, times)
    if not all_equal:
        ctx.exit(1)


def _show(traces: list[Trace], html: Path | None, times: bool) -> bool:
    """Print the comparison of two traces, or a single trace. If `html` is given, also write the HTML page to this file.

    Return whether all rows are equal. For a single trace, the result is true. Raises TraceError if the file cannot be
    written.
    """
    left, right = traces[0], traces[1] if len(traces) > 1 else None
    if right is None:
        rows = single_trace_rows(left.events)
    else:
        rows = [*compare(left.events, right.events), *compare_answers(left, right)]
    click.echo(render(rows, left, right, terminal_width(), times))
    if html is not None:
        try:
            html.write_text(render_page(rows, left, right, times=times), encoding="utf-8", errors="backslashreplace")
        except OSError as e:
            raise TraceError(f"{html}: {e.strerror}") from e
        click.echo(f"Wrote {printable(str(html.resolve()))}: open it in a browser.")
    return all(row.equal for row in rows)
