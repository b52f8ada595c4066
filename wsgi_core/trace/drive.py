"""Send the request as a server does, and record the events that only a server sees."""

from __future__ import annotations

import sys
import typing as t
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote_to_bytes, urlsplit

from werkzeug.test import Client, EnvironBuilder

from .events import Event, Trace
from .observer import Observer
from .phases import WatchList, listen
from .recorder import Recorder

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class TracedApp:
    """Stands for the app before a server or a test client: what passes between the two becomes events."""

    def __init__(self, app: t.Any, recorder: Recorder) -> None:
        self._app = app
        self._recorder = recorder

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._app, name)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        recorder = self._recorder

        def start(status: str, headers: list[tuple[str, str]], *exc_info: t.Any) -> t.Any:
            names = sorted(name for name, _ in headers)
            if recorder.observer is not None:
                recorder.observer.start(status, headers)
            recorder.point("response started", status, ", ".join(names), frame=sys._getframe(1))
            return start_response(status, headers, *exc_info)

        if recorder.observer is not None:
            recorder.observer.begin()
        path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
        # PEP 3333: text that stands for bytes, each character one. Those bytes are UTF-8 as a rule.
        readable = path.encode("latin1", "backslashreplace").decode("utf-8", "backslashreplace")
        with recorder.span("request received", f"{environ['REQUEST_METHOD']} {readable}"):
            body = self._app(environ, start)
        return TracedBody(body, recorder)


class TracedBody:
    """The body that an app returned: each chunk is an event, and so is `close`."""

    def __init__(self, body: Iterable[bytes], recorder: Recorder) -> None:
        self._body = body
        self._recorder = recorder
        self._chunks: Iterator[bytes] | None = None

    def __iter__(self) -> TracedBody:
        return self

    def __next__(self) -> bytes:
        began = self._recorder.now()
        if self._chunks is None:
            self._chunks = iter(self._body)
        try:
            chunk = next(self._chunks)
        except StopIteration:
            self._recorder.point("body exhausted", began=began)
            raise
        if self._recorder.observer is not None:
            self._recorder.observer.send(chunk)
        self._recorder.point("body chunk", f"{len(chunk)} byte{'s' * (len(chunk) != 1)}", began=began)
        return chunk

    def close(self) -> None:
        """Close the body: PEP 3333 says that the server calls this in any case."""
        with self._recorder.span("close", ""):
            if hasattr(self._body, "close"):
                self._body.close()


class Recording:
    """A recording that runs. ``events`` grows as things happen."""

    def __init__(self, app: t.Any, recorder: Recorder) -> None:
        self._app = app
        self._recorder = recorder
        self.wsgi: WSGIApplication = TracedApp(app, recorder)

    @property
    def events(self) -> list[Event]:
        """What has happened so far."""
        return self._recorder.events

    def client(self, **kwargs: t.Any) -> Client:
        """Return the app's own test client; its requests are recorded."""
        client: Client = self._app.test_client(**kwargs)
        client.application = self.wsgi
        return client

    def environ(self, *args: t.Any, **kwargs: t.Any) -> WSGIEnvironment:
        """Return the environ of a request to this app; the arguments are those of `build_environ`."""
        return build_environ(self._app, *args, **kwargs)

    def send(self, environ: WSGIEnvironment, close_after: int | None = None) -> Trace:
        """Send one request as a server would, and take ``close_after`` chunks of the body, or all.

        What the app raises is kept in `Trace.raised`; only KeyboardInterrupt passes.
        """
        trace = Trace(getattr(self._app, "name", ""), self.events)
        try:
            self._exchange(environ, close_after, trace)
        except KeyboardInterrupt:
            raise
        except BaseException as e:
            self._recorder.point("caller saw raised", type(e).__name__)
            trace.raised = e
        return trace

    def _exchange(self, environ: WSGIEnvironment, close_after: int | None, trace: Trace) -> None:
        written: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: t.Any = None
        ) -> t.Callable[[bytes], object]:
            trace.status, trace.headers = status, headers
            return written.append

        body = t.cast(TracedBody, self.wsgi(environ, start_response))
        try:
            while close_after is None or len(written) < close_after:
                try:
                    written.append(next(body))
                except StopIteration:
                    break
        finally:
            trace.body = b"".join(written)
            body.close()


@contextmanager
def recording(app: t.Any, signals: bool = False, snapshots: bool = False) -> Iterator[Recording]:
    """Record what happens to requests inside this block, in this thread.

    With ``signals``, every signal of the lifecycle gets a receiver for that time, so that it is sent and seen.
    With ``snapshots``, each event says what held then; the time that this takes is left out of the events'.
    Raises TypeError for an app that is neither Flask's nor the core's.
    """
    watch_list = WatchList(app)
    recorder = Recorder(watch_list, Observer(app, watch_list) if snapshots else None)
    listened = watch_list.signals if signals else []
    for signal in listened:
        signal.connect(listen)
    recorder.start()
    try:
        yield Recording(app, recorder)
    finally:
        recorder.stop()
        for signal in listened:
            signal.disconnect(listen)


def trace(
    app: t.Any,
    *args: t.Any,
    signals: bool = False,
    snapshots: bool = False,
    close_after: int | None = None,
    label: str | None = None,
    **kwargs: t.Any,
) -> Trace:
    """Send one request to an app and return what happened.

    app: a Flask app or one of wsgi_core's. The request: an environ, a builder, or the arguments of
    `werkzeug.test.EnvironBuilder` (path, method, json, headers, ...). signals, snapshots: see `recording`.
    close_after: the client goes away after that many chunks of the body. label: how to call this side.
    """
    environ = build_environ(app, *args, **kwargs)
    with recording(app, signals, snapshots) as recorded:
        result = recorded.send(environ, close_after)
    if label is not None:
        result.label = label
    return result


def build_environ(app: t.Any, *args: t.Any, **kwargs: t.Any) -> WSGIEnvironment:
    """Return the environ of a request to ``app``, under the app's host and root unless the arguments name others."""
    if args and isinstance(args[0], dict):
        return t.cast("WSGIEnvironment", args[0])
    if args and isinstance(args[0], EnvironBuilder):
        return args[0].get_environ()
    config = app.config
    path = args[0] if args else kwargs.pop("path", "/")
    # "//x" is a path here; urlsplit, and so the builder, would take "x" for the host.
    url = urlsplit("/" if path.startswith("//") else path)
    host = f"{url.scheme or config['PREFERRED_URL_SCHEME']}://{url.netloc or config['SERVER_NAME'] or 'localhost'}"
    kwargs.setdefault("base_url", f"{host}/{config['APPLICATION_ROOT'].lstrip('/')}")
    kwargs.setdefault("environ_base", {"REMOTE_ADDR": "127.0.0.1"})
    builder = EnvironBuilder(f"{host}{path}" if path.startswith("//") else path, *args[1:], **kwargs)
    # The builder's own replaces bytes that are not UTF-8; a server passes them on.
    path_info = unquote_to_bytes(builder.path).decode("latin1")
    builder.environ_overrides = {"PATH_INFO": path_info, **(builder.environ_overrides or {})}
    try:
        return builder.get_environ()
    finally:
        builder.close()
