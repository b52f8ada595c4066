"""Request and Response: Werkzeug's, which know the route and the app's limits, and work no more than needed.

A request gets here when its context is made. Werkzeug's Request reads the whole environ at once; this one
leaves nearly all of it until somebody asks.
"""

from __future__ import annotations

import typing as t
from functools import lru_cache
from io import BytesIO

from werkzeug.datastructures import EnvironHeaders, Headers
from werkzeug.exceptions import BadRequest, ClientDisconnected, HTTPException, RequestEntityTooLarge
from werkzeug.sansio.http import parse_cookie
from werkzeug.utils import get_content_type
from werkzeug.wrappers import Request as RequestBase
from werkzeug.wrappers import Response as ResponseBase
from werkzeug.wsgi import _get_server

from . import json
from .context import _cv_app
from .lazy import cached_attribute

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from werkzeug.routing import Rule


def decode_environ(environ_text: str) -> str:
    """Return a path as PEP 3333 carries it (bytes as latin-1) to text; what isn't UTF-8 becomes U+FFFD."""
    return environ_text if environ_text.isascii() else environ_text.encode("latin1").decode(errors="replace")


def _app_limit(name: str) -> t.Any:
    """Return a property for one of the body limits: set on the request, or else the app's configuration."""
    option = name.upper()

    def get(self: Request) -> int | None:
        limit: int | None = self.__dict__.get(name)
        if limit is None:
            ctx = _cv_app.get(None)
            limit = getattr(RequestBase, name) if ctx is None else ctx.app.config[option]
        return limit

    return property(get, lambda self, value: self.__dict__.__setitem__(name, value))


@lru_cache(maxsize=1024)
def _short_length(content_length: str) -> int | None:
    """Return the length of a body that is read in one call; None for every other body.

    A body of a megabyte or more goes through Werkzeug's LimitedStream, in pieces: a server may set aside the memory
    for what the header promises before the first byte is there.
    """
    short = len(content_length) <= 6 and content_length.isascii() and content_length.isdecimal()
    return (int(content_length) or None) if short else None


@lru_cache
def split_blueprint_path(name: str) -> tuple[str, ...]:
    """Split ``"a.b.c"`` into ``("a.b.c", "a.b", "a")``: a nested blueprint and its parents, innermost first."""
    parts = name.split(".")
    return tuple(".".join(parts[:n]) for n in range(len(parts), 0, -1))


class Request(RequestBase):
    """The request. Mirrors flask 3.1.3 wrappers.py: Request."""

    json_module: t.Any = json
    url_rule: Rule | None = None
    view_args: dict[str, t.Any] | None = None
    routing_exception: HTTPException | None = None

    max_content_length = _app_limit("max_content_length")
    max_form_memory_size = _app_limit("max_form_memory_size")
    max_form_parts = _app_limit("max_form_parts")

    # PERF: Werkzeug's __init__ fills nine attributes. One is needed in every request, the others wait under the
    # same names.
    def __init__(self, environ: dict[str, t.Any], populate_request: bool = True, shallow: bool = False) -> None:
        self.environ = environ
        self.shallow = shallow
        self.method = environ.get("REQUEST_METHOD", "GET").upper()
        if populate_request and not shallow:
            environ["werkzeug.request"] = self

    path: str = cached_attribute(lambda self: "/" + decode_environ(self.environ.get("PATH_INFO") or "").lstrip("/"))
    scheme: str = cached_attribute(lambda self: self.environ.get("wsgi.url_scheme", "http"))
    server: tuple[str, int | None] | None = cached_attribute(lambda self: _get_server(self.environ))
    root_path: str = cached_attribute(lambda self: decode_environ(self.environ.get("SCRIPT_NAME") or "").rstrip("/"))
    query_string: bytes = cached_attribute(lambda self: self.environ.get("QUERY_STRING", "").encode("latin1"))
    headers: t.Any = cached_attribute(lambda self: EnvironHeaders(self.environ))
    remote_addr: str | None = cached_attribute(lambda self: self.environ.get("REMOTE_ADDR"))
    cookies: t.Any = cached_attribute(
        lambda self: parse_cookie(self.environ.get("HTTP_COOKIE"), self.dict_storage_class)
    )

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
        return list(split_blueprint_path(rule.endpoint.rpartition(".")[0]))

    @property
    def is_json(self) -> bool:
        return self.environ.get("CONTENT_TYPE") == "application/json" or super().is_json

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> t.Any:
        """Return the body as JSON, parsed once. Mirrors Werkzeug's ``Request.get_json``.

        Raises UnsupportedMediaType (415) for another content type unless ``force``, BadRequest (400) for a
        body that isn't JSON; with ``silent`` both give None.
        """
        # PERF: the usual call on the usual body. Werkzeug's checks of type and cache come to the same.
        if silent or not cache or "_cached_json" in self.__dict__ or not self.is_json:
            return super().get_json(force, silent, cache)
        data = self.get_data()
        try:
            value = self.json_module.loads(data)
        except ValueError as e:
            value = self.on_json_loading_failed(e)
            self._cached_json = (value, ...)
        else:
            self._cached_json = (value, value)
        return value

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> t.Any:
        """Return the body: its bytes, or text if ``as_text``. Mirrors Werkzeug's ``Request.get_data``.

        Raises RequestEntityTooLarge (413) over `max_content_length`, ClientDisconnected (400) if the body
        ends before its declared length.
        """
        known = self.__dict__
        if cache and not parse_form_data and "_cached_data" not in known and "stream" not in known:
            data = self._read_at_once()
            if data is not None:
                known["_cached_data"] = data
                if not as_text:
                    return data
        return super().get_data(cache, as_text, parse_form_data)  # type: ignore[call-overload]

    @cached_attribute
    def stream(self) -> t.IO[bytes]:
        """The body as a stream that ends where the body does; at its end once `get_data` has read it."""
        return BytesIO() if "_cached_data" in self.__dict__ else super().stream

    # PERF: a short body of known length is one read instead of a stream around the server's.
    def _read_at_once(self) -> bytes | None:
        """Return the body, if it is of declared length and short; None: leave it to `stream`."""
        environ = self.environ
        length = _short_length(environ.get("CONTENT_LENGTH", ""))
        if length is None or "HTTP_TRANSFER_ENCODING" in environ or self.shallow:
            return None
        limit = self.max_content_length
        if limit is not None and length > limit:
            raise RequestEntityTooLarge()
        # With "input_terminated" the server ends the stream, wherever the header sees the end.
        terminated = "wsgi.input_terminated" in environ
        read = environ["wsgi.input"].read
        if terminated and limit is None:
            return t.cast(bytes, read())
        size = limit if terminated and limit is not None else length
        try:
            data: bytes = read(size)
            while len(data) < size and (more := read(size - len(data))):
                data += more
        except (OSError, ValueError) as e:
            raise ClientDisconnected() from e
        if len(data) < length and not terminated:
            raise ClientDisconnected()
        return data

    def close(self) -> None:
        # PERF: only parsed uploads need closing.
        if "files" in self.__dict__:
            super().close()

    def _load_form_data(self) -> None:
        """Parse the form; in debug mode `files` then explains why an upload is missing.

        Mirrors flask 3.1.3 wrappers.py: Request._load_form_data.
        """
        super()._load_form_data()
        ctx = _cv_app.get(None)
        if ctx is not None and ctx.app.debug and self.mimetype != "multipart/form-data" and not self.files:
            from .debughelpers import explain_missing_files

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
def _content_type(mimetype: str) -> tuple[str, str]:
    """Return the Content-Type header; ValueError for what would end the line and begin another header."""
    return Headers([("Content-Type", get_content_type(mimetype, "utf-8"))])._list[0]


_STEPS = (
    "_clean_status", "automatically_set_content_length", "default_status", "get_app_iter", "get_wsgi_headers",
    "get_wsgi_response", "iter_encoded", "set_data", "status",
)  # fmt: skip
_BODYLESS = frozenset({*range(100, 200), 204, 304})
_NEEDS_WORK = frozenset({"location", "content-location", "content-length"})


def _are_plain(headers: list[tuple[str, str]]) -> bool:
    """Return whether the headers say how long the body is, and none of them has to be rewritten."""
    has_length = False
    for name, _ in headers:
        if name == "Content-Length":
            has_length = True
        elif name != "Content-Type" and name.lower() in _NEEDS_WORK:  # PERF: nearly every response has the first
            return False
    return has_length


class _Chunks(list[bytes]):
    """A finished body. A plain list couldn't say that it was closed: a teardown function may have asked to be told."""

    __slots__ = ("close",)
    close: t.Callable[[], None]


class Response(ResponseBase):
    """The response. Mirrors flask 3.1.3 wrappers.py: Response."""

    default_mimetype: str | None = "text/html"
    json_module: t.Any = json
    autocorrect_location_header = False
    # Whether `__init__` and `__call__` may go the short way: not where a subclass says how a step is to be done.
    _is_usual = True

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._is_usual = all(getattr(cls, name) is getattr(ResponseBase, name) for name in _STEPS)

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
        plain = headers is None and content_type is None and not direct_passthrough
        if not (plain and self._is_usual and isinstance(response, (str, bytes))):
            super().__init__(response, status, headers, mimetype, content_type, direct_passthrough)
            return
        body = response.encode() if isinstance(response, str) else response
        mimetype = self.default_mimetype if mimetype is None else mimetype
        length = ("Content-Length", str(len(body)))
        self.headers = Headers.__new__(Headers)
        self.headers._list = [length] if mimetype is None else [_content_type(mimetype), length]
        self._status, self._status_code = ("200 OK", 200) if status is None else self._clean_status(status)
        self.direct_passthrough = False
        self._on_close = []
        self.response = [body]

    def __call__(self, environ: dict[str, t.Any], start_response: t.Any) -> Iterable[bytes]:
        """Send status and headers, and return the body. Mirrors Werkzeug's ``Response.__call__``."""
        body = self.response
        # PERF: one finished chunk, with headers that need no work, goes out as it is.
        if (
            type(body) is not list
            or len(body) != 1
            or type(body[0]) is not bytes
            or not self._is_usual
            or self.direct_passthrough
            or self._status_code in _BODYLESS
            or environ["REQUEST_METHOD"] == "HEAD"
            or not _are_plain(self.headers._list)
        ):
            return super().__call__(environ, start_response)
        start_response(self._status, self.headers._list.copy())
        chunks = _Chunks(body)
        chunks.close = self.close
        return chunks

    def close(self) -> None:
        # PERF: a finished body is a list, which has nothing to close.
        if self._on_close or type(self.response) is not list:
            super().close()

    @property
    def max_cookie_size(self) -> int:  # type: ignore[override]
        """Bytes from which on a cookie draws a warning, as the app's ``MAX_COOKIE_SIZE`` says."""
        ctx = _cv_app.get(None)
        return ResponseBase.max_cookie_size if ctx is None else ctx.app.config["MAX_COOKIE_SIZE"]
