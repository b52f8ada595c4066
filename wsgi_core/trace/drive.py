"""Send a request as a server does, and record the events that only a server sees."""

from __future__ import annotations

import sys
import typing as t
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote_to_bytes, urlsplit

from werkzeug.test import Client, EnvironBuilder

from .events import Event, Trace
from .observer import Observer
from .phases import WatchList, ignore_signal
from .recorder import Recorder

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class TracedApp:
    """A WSGI wrapper around an app. It records the calls between the app and its caller as events.

    The caller is a server or a test client.
    """

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
        # In PEP 3333 each character of the path is one byte. The bytes are usually UTF-8.
        readable = path.encode("latin1", "backslashreplace").decode("utf-8", "backslashreplace")
        with recorder.span("request received", f"{environ['REQUEST_METHOD']} {readable}"):
            body = self._app(environ, start)
        return TracedBody(body, recorder)


class TracedBody:
    """A wrapper around the body that an app returned. It records each chunk, the end and `close` as events."""

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
        """Close the body. PEP 3333 requires the server to call `close` after every request."""
        with self._recorder.span("close", ""):
            if hasattr(self._body, "close"):
                self._body.close()


class Recording:
    """The object that `recording` yields. It sends requests to the app, and has the recorded events.

    `wsgi` is a WSGI application that calls the app. It also records the events of the server, such as each chunk of the
    body.
    """

    def __init__(self, app: t.Any, recorder: Recorder) -> None:
        self._app = app
        self._recorder = recorder
        self.wsgi: WSGIApplication = TracedApp(app, recorder)

    @property
    def events(self) -> list[Event]:
        """The events that have been recorded so far."""
        return self._recorder.events

    def client(self, **kwargs: t.Any) -> Client:
        """Return a test client of the app. Its requests are recorded."""
        client: Client = self._app.test_client(**kwargs)
        client.application = self.wsgi
        return client

    def environ(self, *args: t.Any, **kwargs: t.Any) -> WSGIEnvironment:
        """Return the environ of a request to this app. The arguments are those of `build_environ` after `app`."""
        return build_environ(self._app, *args, **kwargs)

    def send(self, environ: WSGIEnvironment, close_after: int | None = None) -> Trace:
        """Send one request as a server does, and return its trace.

        If `close_after` is given, close the body after this number of chunks, as if the client had disconnected.
        Otherwise, read all chunks before the body is closed. If the app raises an exception, store the exception in
        `Trace.raised`. KeyboardInterrupt is not stored, and is raised again.
        """
        first = len(self.events)
        trace = Trace(getattr(self._app, "name", ""), [])
        try:
            self._exchange(environ, close_after, trace)
        except KeyboardInterrupt:
            raise
        except BaseException as e:
            self._recorder.point("caller saw raised", type(e).__name__)
            trace.raised = e
        trace.events = self.events[first:]
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
    """Record the requests that this thread sends to `app` in the ``with`` block.

    signals: whether to connect a receiver to every signal of the framework, so that every signal is recorded
    snapshots: whether each event has a `Snapshot`; the times of the events do not include the time for snapshots

    Raises TypeError if the app is neither a Flask app nor a wsgi_core app.
    """
    watch_list = WatchList(app)
    recorder = Recorder(watch_list, Observer(app, watch_list) if snapshots else None)
    listened = watch_list.signals if signals else []
    for signal in listened:
        signal.connect(ignore_signal)
    recorder.start()
    try:
        yield Recording(app, recorder)
    finally:
        recorder.stop()
        for signal in listened:
            signal.disconnect(ignore_signal)


def trace(
    app: t.Any,
    *args: t.Any,
    signals: bool = False,
    snapshots: bool = False,
    close_after: int | None = None,
    label: str | None = None,
    **kwargs: t.Any,
) -> Trace:
    """Send one request to an app and return its trace.

    app: a Flask app or a wsgi_core app
    args, kwargs: the request, as the arguments of `build_environ`
    signals, snapshots: see `recording`
    close_after: if given, close the body after this number of chunks, as if the client had disconnected
    label: the name of this trace in a comparison, by default the name of the app
    """
    environ = build_environ(app, *args, **kwargs)
    with recording(app, signals, snapshots) as recorded:
        result = recorded.send(environ, close_after)
    if label is not None:
        result.label = label
    return result


def build_environ(app: t.Any, *args: t.Any, **kwargs: t.Any) -> WSGIEnvironment:
    """Return the environ of a request to `app`.

    The argument after `app` is an environ, a `werkzeug.test.EnvironBuilder`, or the path, by default ``/``. An environ
    is returned unchanged. With a path, keyword arguments of EnvironBuilder may follow, such as `method`, `json` and
    `headers`.

    With a path but without `base_url`, the URL is completed from the app's configuration. The root path is
    APPLICATION_ROOT. Unless the path is a whole URL, the scheme is PREFERRED_URL_SCHEME, and the host is SERVER_NAME or
    localhost.
    """
    if args and isinstance(args[0], dict):
        return t.cast("WSGIEnvironment", args[0])
    if args and isinstance(args[0], EnvironBuilder):
        return args[0].get_environ()
    config = app.config
    path = args[0] if args else kwargs.pop("path", "/")
    # "//x" is a path here, but urlsplit and the builder would parse "x" as the host.
    url = urlsplit("/" if path.startswith("//") else path)
    host = f"{url.scheme or config['PREFERRED_URL_SCHEME']}://{url.netloc or config['SERVER_NAME'] or 'localhost'}"
    kwargs.setdefault("base_url", f"{host}/{config['APPLICATION_ROOT'].lstrip('/')}")
    kwargs.setdefault("environ_base", {"REMOTE_ADDR": "127.0.0.1"})
    builder = EnvironBuilder(f"{host}{path}" if path.startswith("//") else path, *args[1:], **kwargs)
    # In the path, the builder replaces bytes that are not UTF-8. A server does not.
    path_info = unquote_to_bytes(builder.path).decode("latin1")
    builder.environ_overrides = {"PATH_INFO": path_info, **(builder.environ_overrides or {})}
    try:
        return builder.get_environ()
    finally:
        builder.close()
