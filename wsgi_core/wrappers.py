"""Request and Response: Werkzeug's, which know the route and the app's limits, and work no more than needed.

A request gets here when its context is made. Werkzeug's Request reads the whole environ at once; this one
reads what routing needs and leaves the rest until somebody asks.
"""

from __future__ import annotations

import typing as t
from functools import cached_property, lru_cache
from io import BytesIO

from werkzeug.datastructures import EnvironHeaders, Headers
from werkzeug.exceptions import BadRequest, ClientDisconnected, HTTPException, RequestEntityTooLarge
from werkzeug.utils import get_content_type
from werkzeug.wrappers import Request as RequestBase
from werkzeug.wrappers import Response as ResponseBase

from . import json
from .context import _cv_app

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from werkzeug.routing import Rule

# Bodies up to this many bytes are read in one call. A longer one goes through Werkzeug's LimitedStream, in
# pieces: a server may set aside the memory for what the header promises before the first byte is there.
_READ_AT_ONCE = 1 << 20


def _decode(environ_text: str) -> str:
    """A path as PEP 3333 carries it (bytes as latin-1) to text; what isn't UTF-8 becomes U+FFFD."""
    return environ_text if environ_text.isascii() else environ_text.encode("latin1").decode(errors="replace")


def _app_limit(name: str) -> t.Any:
    """A property for one of the body limits: set on the request, or else the app's configuration."""
    attribute, key = f"_{name}", name.upper()

    def get(self: Request) -> int | None:
        own: int | None = getattr(self, attribute)
        if own is not None:
            return own
        ctx = _cv_app.get(None)
        limit: int | None = getattr(RequestBase, name) if ctx is None else ctx.app.config[key]
        return limit

    return property(get, lambda self, value: setattr(self, attribute, value))


@lru_cache
def _split_blueprint_path(name: str) -> tuple[str, ...]:
    """``"a.b.c"`` to ``("a.b.c", "a.b", "a")``: a nested blueprint and its parents, innermost first."""
    parts = name.split(".")
    return tuple(".".join(parts[:n]) for n in range(len(parts), 0, -1))


class Request(RequestBase):
    """The request. Mirrors flask 3.1.3 wrappers.py: Request."""

    json_module: t.Any = json
    url_rule: Rule | None = None
    view_args: dict[str, t.Any] | None = None
    routing_exception: HTTPException | None = None

    _max_content_length: int | None = None
    _max_form_memory_size: int | None = None
    _max_form_parts: int | None = None
    max_content_length = _app_limit("max_content_length")
    max_form_memory_size = _app_limit("max_form_memory_size")
    max_form_parts = _app_limit("max_form_parts")

    # PERF: Werkzeug's __init__ fills nine attributes. Two are needed for routing, the others wait in
    # cached properties of the same names.
    def __init__(self, environ: WSGIEnvironment, populate_request: bool = True, shallow: bool = False) -> None:
        self.environ = environ
        self.shallow = shallow
        self.method = environ.get("REQUEST_METHOD", "GET").upper()
        self.path = "/" + _decode(environ.get("PATH_INFO") or "").lstrip("/")
        if populate_request and not shallow:
            environ["werkzeug.request"] = self

    @cached_property
    def scheme(self) -> str:  # type: ignore[override]
        return t.cast(str, self.environ.get("wsgi.url_scheme", "http"))

    @cached_property
    def server(self) -> tuple[str, int | None] | None:  # type: ignore[override]
        """Host and port of the server; the port is None for a Unix socket, whose path stands as host."""
        name = self.environ.get("SERVER_NAME")
        if not name:
            return None
        if ":" in name and name[0] not in "/[":
            name = f"[{name}]"
        try:
            return name, int(self.environ.get("SERVER_PORT", ""))
        except (TypeError, ValueError):
            return name, None

    @cached_property
    def root_path(self) -> str:  # type: ignore[override]
        return _decode(self.environ.get("SCRIPT_NAME") or "").rstrip("/")

    @cached_property
    def query_string(self) -> bytes:  # type: ignore[override]
        return t.cast(str, self.environ.get("QUERY_STRING", "")).encode("latin1")

    @cached_property
    def headers(self) -> EnvironHeaders:  # type: ignore[override]
        return EnvironHeaders(self.environ)

    @cached_property
    def remote_addr(self) -> str | None:  # type: ignore[override]
        return self.environ.get("REMOTE_ADDR")

    @property
    def endpoint(self) -> str | None:
        """The endpoint of the matched rule; None if none matched."""
        rule = self.url_rule
        return None if rule is None else rule.endpoint

    @property
    def blueprint(self) -> str | None:
        """The full, dotted name of the blueprint that the endpoint belongs to."""
        endpoint = self.endpoint
        return endpoint.rpartition(".")[0] if endpoint is not None and "." in endpoint else None

    @property
    def blueprints(self) -> list[str]:
        """The blueprint and its parents, innermost first."""
        rule = self.url_rule
        if rule is None or "." not in rule.endpoint:
            return []
        return list(_split_blueprint_path(rule.endpoint.rpartition(".")[0]))

    @property
    def is_json(self) -> bool:
        return self.environ.get("CONTENT_TYPE") == "application/json" or super().is_json

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> t.Any:
        """The body: its bytes, or text if ``as_text``. Mirrors Werkzeug's ``Request.get_data``.

        Raises RequestEntityTooLarge (413) over `max_content_length`, ClientDisconnected (400) if the body
        ends before its declared length.
        """
        # PERF: a short body of known length is one read, kept; the limits of the stream hold all the same.
        if cache and not (as_text or parse_form_data) and self._body_is_plain():
            self._cached_data = self._read_plain(int(self.environ["CONTENT_LENGTH"]))
        return super().get_data(cache, as_text, parse_form_data)  # type: ignore[call-overload]

    def _body_is_plain(self) -> bool:
        """Whether the body is unread, short, of declared length, and free to be read here."""
        environ, known = self.environ, self.__dict__
        length = environ.get("CONTENT_LENGTH", "")
        return (
            0 < len(length) < 8
            and length.isdecimal()
            and length.isascii()
            and int(length) <= _READ_AT_ONCE
            and "_cached_data" not in known
            and "stream" not in known
            and not self.shallow
            and "wsgi.input_terminated" not in environ
            and "HTTP_TRANSFER_ENCODING" not in environ
        )

    def _read_plain(self, length: int) -> bytes:
        limit = self.max_content_length
        if limit is not None and length > limit:
            raise RequestEntityTooLarge()
        read = self.environ["wsgi.input"].read
        try:
            data: bytes = read(length)
            while len(data) < length:
                more = read(length - len(data))
                if not more:
                    raise ClientDisconnected()
                data += more
        except (OSError, ValueError) as e:
            raise ClientDisconnected() from e
        self.__dict__["stream"] = BytesIO()
        return data

    def close(self) -> None:
        # PERF: only parsed uploads need closing.
        if "files" in self.__dict__:
            super().close()

    def _load_form_data(self) -> None:
        super()._load_form_data()
        ctx = _cv_app.get(None)
        if ctx is not None and ctx.app.debug and self.mimetype != "multipart/form-data" and not self.files:
            from .errors import explain_missing_files

            explain_missing_files(self)

    def on_json_loading_failed(self, e: ValueError | None) -> t.Any:
        """Answer a body that isn't JSON: 400 (415 for another content type), with details in debug mode.

        Mirrors flask 3.1.3 wrappers.py: Request.on_json_loading_failed.
        """
        try:
            return super().on_json_loading_failed(e)
        except BadRequest as error:
            ctx = _cv_app.get(None)
            if ctx is not None and ctx.app.debug:
                raise
            raise BadRequest() from error


@lru_cache
def _content_type(mimetype: str) -> str:
    return get_content_type(mimetype, "utf-8")


_BODYLESS = frozenset({204, 304})
_REWRITTEN = frozenset({"location", "content-location"})


class Response(ResponseBase):
    """The response. Mirrors flask 3.1.3 wrappers.py: Response."""

    default_mimetype: str | None = "text/html"
    json_module: t.Any = json
    autocorrect_location_header = False

    # PERF: a finished text or bytes body with a known type is what most views return. Its headers are
    # two entries and its status one of a few: no parsing.
    def __init__(
        self,
        response: Iterable[bytes] | bytes | Iterable[str] | str | None = None,
        status: t.Any = None,
        headers: t.Any = None,
        mimetype: str | None = None,
        content_type: str | None = None,
        direct_passthrough: bool = False,
    ) -> None:
        kind = type(response)
        if (
            (kind is not str and kind is not bytes)
            or headers is not None
            or content_type is not None
            or status is not None
            or direct_passthrough
            or self.default_status != 200
            or not self.automatically_set_content_length
        ):
            super().__init__(response, status, headers, mimetype, content_type, direct_passthrough)
            return
        body = t.cast(bytes, response.encode() if kind is str else response)  # type: ignore[union-attr]
        if mimetype is None:
            mimetype = self.default_mimetype
        self.headers = Headers()
        if mimetype is not None:
            self.headers._list.append(("Content-Type", _content_type(mimetype)))
        self.headers._list.append(("Content-Length", str(len(body))))
        self._status = "200 OK"
        self._status_code = 200
        self.direct_passthrough = False
        self._on_close = []
        self.response = [body]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Send status and headers, and return the body. Mirrors Werkzeug's ``Response.__call__``."""
        if self._is_plain(environ):
            start_response(self._status, list(self.headers))
            return self.response  # type: ignore[return-value]
        return super().__call__(environ, start_response)

    def _is_plain(self, environ: WSGIEnvironment) -> bool:
        """Whether the body is one finished chunk and no header needs work: it goes out as it is."""
        body = self.response
        if (
            type(body) is not list
            or len(body) != 1
            or type(body[0]) is not bytes
            or self._on_close
            or self._status_code < 200
            or self._status_code in _BODYLESS
            or environ["REQUEST_METHOD"] == "HEAD"
        ):
            return False
        names = {name.lower() for name, _ in self.headers}
        return "content-length" in names and names.isdisjoint(_REWRITTEN)

    @property
    def max_cookie_size(self) -> int:  # type: ignore[override]
        """Bytes from which on a cookie draws a warning, as the app's ``MAX_COOKIE_SIZE`` says."""
        ctx = _cv_app.get(None)
        return ResponseBase.max_cookie_size if ctx is None else ctx.app.config["MAX_COOKIE_SIZE"]
