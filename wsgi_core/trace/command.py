"""``wsgi-core trace``: one request through two apps, side by side."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
import typing as t
from pathlib import Path

import click

from ..cli import NoAppException, ScriptInfo, _parse_app_name
from .align import compare
from .drive import build_environ, recording, trace
from .events import Trace
from .page import render_page
from .phases import Plan
from .terminal import alone, render

CORE_APP = "wsgi_core.service:create_app"
FLASK_APP = "flask_equiv.service:create_app"


class TraceError(click.ClickException):
    """The request can't be traced; exit code 2, as for wrong usage."""

    exit_code = 2


def _load(spec: str) -> t.Any:
    """The app that ``module:factory`` makes, or that ``module:app`` is; TraceError if there is none."""
    module_name, _, name = spec.partition(":")
    if not name:
        raise TraceError(f"'{spec}' is not of the form module:factory.")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        attribute, args, kwargs = _parse_app_name(name)
        found = getattr(importlib.import_module(module_name), attribute)
        app = found if hasattr(found, "wsgi_app") else found(*args, **kwargs)
        Plan(app)
    except ModuleNotFoundError as e:
        hint = " Install it with 'pip install wsgi_core[flask]'." if e.name == "flask" else ""
        raise TraceError(f"{spec}: {e}.{hint}") from e
    except NoAppException as e:
        raise TraceError(e.format_message()) from e
    except Exception as e:
        raise TraceError(f"{spec}: {type(e).__name__}: {e}") from e
    return app


def _label(app: t.Any) -> str:
    package = Plan(app).package
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package


def _parse_header(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs = [value.partition(":") for value in values]
    if not all(colon and name.strip() for name, colon, _ in pairs):
        raise click.BadParameter("A header is written as 'Name: value'.", ctx, param)
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _run(app: t.Any, label: str, request: dict[str, t.Any], signals: bool, warm_up: int) -> Trace:
    for _ in range(warm_up):
        with recording(app) as recorded:
            recorded.send(build_environ(app, **request))
    return trace(app, signals=signals, label=label, **request)


@click.command("trace", short_help="Show what happens to one request, beside Flask.")
@click.argument("method")
@click.argument("path")
@click.option("--json", "json_text", metavar="TEXT", help="The body, sent as application/json.")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", callback=_parse_header, help="A header.")
@click.option("--app", "core_spec", metavar="MODULE:FACTORY", help="The app on wsgi_core. By default the service.")
@click.option("--flask-app", "flask_spec", metavar="MODULE:FACTORY", help="The app on Flask, its twin.")
@click.option("--signals", is_flag=True, help="Receive every signal, so that it is sent and shown.")
@click.option("--warm-up", default=0, metavar="N", help="Send the request N times before.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the timeline as a page.")
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
    html: Path | None,
) -> None:
    """Send one request through two apps, Flask's and wsgi_core's, and show side by side what happens in them.

    Without --app and --flask-app it goes through the service and its twin; with one of the two, through that
    one alone. One row is one event. Marks: '<' only left, '>' only right, '!' not the same. The exit code is 0
    if all is equal, 1 if there is a difference, 2 if the request can't be sent.
    """
    core_spec = core_spec or ctx.ensure_object(ScriptInfo).app_import_path
    if core_spec is None and flask_spec is None:
        core_spec, flask_spec = CORE_APP, FLASK_APP
    request: dict[str, t.Any] = {"path": path, "method": method.upper(), "headers": headers}
    if json_text is not None:
        request |= {"data": json_text.encode(), "content_type": "application/json"}
    apps = [(spec, _load(spec)) for spec in (flask_spec, core_spec) if spec is not None]
    labels = [_label(app) for _, app in apps]
    if len(set(labels)) < len(labels):
        labels = [spec for spec, _ in apps]
    traces = [_run(app, label, request, signals, warm_up) for (_, app), label in zip(apps, labels, strict=True)]
    _show(ctx, traces, html)


def _show(ctx: click.Context, traces: list[Trace], html: Path | None) -> None:
    left, right = traces[0], traces[1] if len(traces) > 1 else None
    rows = alone(left.events) if right is None else compare(left.events, right.events)
    click.echo(render(rows, left, right))
    if html is not None:
        try:
            html.write_text(render_page(rows, left, right), encoding="utf-8")
        except OSError as e:
            raise TraceError(f"{html}: {e.strerror}") from e
    if not all(row.equal for row in rows):
        ctx.exit(1)
