"""Calling an app without a server: environs made up, a client with cookies and contexts, a command runner."""

from __future__ import annotations

import importlib.metadata
import typing as t
from contextlib import ExitStack, closing, contextmanager
from copy import copy
from urllib.parse import urlsplit

import werkzeug.test
from click.testing import CliRunner, Result
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request as BaseRequest

from .cli import ScriptInfo

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .app import App


class EnvironBuilder(werkzeug.test.EnvironBuilder):
    """Werkzeug's builder with the app's host, root and scheme as defaults, and its JSON provider.

    Mirrors flask 3.1.3 testing.py: EnvironBuilder.
    """

    def __init__(
        self,
        app: App,
        path: str = "/",
        base_url: str | None = None,
        subdomain: str | None = None,
        url_scheme: str | None = None,
        *args: t.Any,
        **kwargs: t.Any,
    ) -> None:
        assert base_url is None or not (subdomain or url_scheme), "base_url has its own subdomain and url_scheme"
        if base_url is None:
            url = urlsplit(path)
            host = url.netloc or ".".join(filter(None, [subdomain, app.config["SERVER_NAME"] or "localhost"]))
            scheme = url.scheme or url_scheme or app.config["PREFERRED_URL_SCHEME"]
            base_url = f"{scheme}://{host}/{app.config['APPLICATION_ROOT'].lstrip('/')}"
            path = f"{url.path}?{url.query}" if url.query else url.path
        self.app = app
        super().__init__(path, base_url, *args, **kwargs)

    def json_dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
        """Return JSON text by the app's provider."""
        return self.app.json.dumps(obj, **kwargs)


_USER_AGENT = f"Werkzeug/{importlib.metadata.version('werkzeug')}"


class FlaskClient(Client):
    """A test client. In a ``with`` block the contexts of the last request stay, for the test to look at.

    Mirrors flask 3.1.3 testing.py: FlaskClient.
    """

    application: App

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.preserve_context = False
        self._new_contexts: list[t.ContextManager[t.Any]] = []
        self._context_stack = ExitStack()
        self.environ_base: dict[str, t.Any] = {"REMOTE_ADDR": "127.0.0.1", "HTTP_USER_AGENT": _USER_AGENT}

    @contextmanager
    def session_transaction(self, *args: t.Any, **kwargs: t.Any) -> Iterator[t.Any]:
        """Yield the session as the next request will find it, to read and change; saved at the end of the block.

        The arguments are `EnvironBuilder`'s. TypeError without cookies, RuntimeError without a session.
        """
        if self._cookies is None:
            raise TypeError("Cookies are disabled. Create a client with 'use_cookies=True'.")
        app = self.application
        ctx = app.test_request_context(*args, **kwargs)
        self._add_cookies_to_wsgi(ctx.request.environ)
        with ctx:
            session = app.session_interface.open_session(app, ctx.request)
        if session is None:
            raise RuntimeError("Session backend did not open a session.")
        yield session
        if app.session_interface.is_null_session(session):
            return
        response = app.response_class()
        with ctx:
            app.session_interface.save_session(app, session, response)
        host, cookies = ctx.request.host.partition(":")[0], response.headers.getlist("Set-Cookie")
        self._update_cookies_from_response(host, ctx.request.path, cookies)

    def _copy_environ(self, other: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        environ = {**self.environ_base, **other}
        if self.preserve_context:
            environ["werkzeug.debug.preserve_context"] = self._new_contexts.append
        return environ

    def _make_request(self, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]) -> BaseRequest:
        """Return the request that `open` was asked for: a builder, an environ, a request, or what to build one of."""
        given = args[0] if args else None
        if isinstance(given, BaseRequest):
            request = copy(given)
            request.environ = self._copy_environ(request.environ)
            return request
        if isinstance(given, werkzeug.test.EnvironBuilder):
            builder = copy(given)
            builder.environ_base = self._copy_environ(builder.environ_base or {})
            return builder.get_request()
        if isinstance(given, dict):
            base = self._copy_environ({})
            return EnvironBuilder.from_environ(given, app=self.application, environ_base=base).get_request()
        return self._request_from_builder_args(args, kwargs)

    def _request_from_builder_args(self, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]) -> BaseRequest:
        """Return the request that `EnvironBuilder` makes of its arguments; extensions override this.

        Mirrors flask 3.1.3 testing.py: FlaskClient._request_from_builder_args.
        """
        kwargs["environ_base"] = self._copy_environ(kwargs.get("environ_base", {}))
        with closing(EnvironBuilder(self.application, *args, **kwargs)) as builder:
            return builder.get_request()

    def open(
        self, *args: t.Any, buffered: bool = False, follow_redirects: bool = False, **kwargs: t.Any
    ) -> TestResponse:
        """Send a request. The first argument may be a builder, an environ or a request; else all of them
        are `EnvironBuilder`'s."""
        request = self._make_request(args, kwargs)
        # The last request's contexts go before this one's come.
        self._context_stack.close()
        response = super().open(request, buffered=buffered, follow_redirects=follow_redirects)
        response.json_module = self.application.json  # type: ignore[assignment]
        for ctx in self._new_contexts:
            self._context_stack.enter_context(ctx)
        self._new_contexts.clear()
        return response

    def __enter__(self) -> FlaskClient:
        if self.preserve_context:
            raise RuntimeError("Cannot nest client invocations")
        self.preserve_context = True
        return self

    def __exit__(self, exc_type: object, exc: BaseException | None, tb: object) -> None:
        self.preserve_context = False
        self._context_stack.close()


class FlaskCliRunner(CliRunner):
    """Runs an app's commands. Mirrors flask 3.1.3 testing.py: FlaskCliRunner."""

    def __init__(self, app: App, **kwargs: t.Any) -> None:
        self.app = app
        super().__init__(**kwargs)

    def invoke(self, cli: t.Any = None, args: t.Any = None, **kwargs: t.Any) -> Result:  # type: ignore[override]
        """Run a command (by default the app's group) with the app already loaded."""
        kwargs.setdefault("obj", ScriptInfo(create_app=lambda: self.app))
        return super().invoke(self.app.cli if cli is None else cli, args, **kwargs)
