"""The session: a dict that travels in a signed cookie, and the tagged JSON that it is written in.

A request gets here when its context is pushed (the session is opened, or waits until somebody asks) and
again after the ``after_request`` functions (it is saved into the response).
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from base64 import b64decode, b64encode
from collections.abc import MutableMapping
from datetime import UTC, datetime
from functools import lru_cache

from markupsafe import Markup
from werkzeug.datastructures import CallbackDict
from werkzeug.http import dump_cookie, http_date, parse_date
from werkzeug.wrappers import Response as BaseResponse

from .json import dumps, loads
from .lazy import cached_attribute

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from itsdangerous import URLSafeTimedSerializer

    from .app import App
    from .wrappers import Request, Response


class SessionMixin(MutableMapping[str, t.Any]):
    """What a session tells about itself beside its items."""

    new = False
    modified = True
    accessed = False

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser, by ``PERMANENT_SESSION_LIFETIME``."""
        permanent: bool = self.get("_permanent", False)
        return permanent

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)


class SecureCookieSession(CallbackDict[str, t.Any], SessionMixin):
    """A dict that notes when an item of its own is set or deleted (not what happens inside a value)."""

    modified = False

    def __init__(self, initial: Mapping[str, t.Any] | None = None) -> None:
        def on_update(self: t.Any) -> None:
            self.modified = True

        super().__init__(initial, on_update)


class NullSession(SecureCookieSession):
    """The session of an app without a secret key: it reads as empty and can't be written."""

    def _fail(self, *args: t.Any, **kwargs: t.Any) -> t.NoReturn:
        raise RuntimeError("The session is unavailable because no secret key was set. Set the application.secret_key.")

    __setitem__ = __delitem__ = clear = pop = popitem = update = setdefault = _fail
    del _fail


def _setting(key: str) -> Callable[[t.Any, App], t.Any]:
    """Return a method that reads ``key`` of an app's configuration."""
    return lambda self, app: app.config[key]


class SessionInterface:
    """How an app opens and saves sessions; a subclass gives `open_session` and `save_session`.

    Mirrors flask 3.1.3 sessions.py: SessionInterface.
    """

    null_session_class: type[t.Any] = NullSession
    pickle_based = False

    def make_null_session(self, app: App) -> t.Any:
        """Return what stands for the session where `open_session` returned None."""
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Return whether ``obj`` is such a stand-in, which is never saved."""
        return isinstance(obj, self.null_session_class)

    def supports_lazy_open(self, app: App, request: Request) -> bool:
        """Return whether the session need not be opened before somebody asks for it, without a visible difference."""
        return False

    get_cookie_name = _setting("SESSION_COOKIE_NAME")
    get_cookie_domain = _setting("SESSION_COOKIE_DOMAIN")
    get_cookie_httponly = _setting("SESSION_COOKIE_HTTPONLY")
    get_cookie_secure = _setting("SESSION_COOKIE_SECURE")
    get_cookie_samesite = _setting("SESSION_COOKIE_SAMESITE")
    get_cookie_partitioned = _setting("SESSION_COOKIE_PARTITIONED")

    def get_cookie_path(self, app: App) -> str:
        path: str = app.config["SESSION_COOKIE_PATH"] or app.config["APPLICATION_ROOT"]
        return path

    def get_expiration_time(self, app: App, session: SessionMixin) -> datetime | None:
        """Return when the cookie ends (UTC); None: with the browser."""
        return datetime.now(UTC) + app.permanent_session_lifetime if session.permanent else None

    def should_set_cookie(self, app: App, session: SessionMixin) -> bool:
        """Return whether the cookie must be sent: the session changed, or is permanent and refreshed each time."""
        return session.modified or (session.permanent and app.config["SESSION_REFRESH_EACH_REQUEST"])

    def open_session(self, app: App, request: Request) -> SessionMixin | None:
        """Return the session of ``request``, new if need be; None if there can't be one."""
        raise NotImplementedError

    def save_session(self, app: App, session: t.Any, response: Response) -> None:
        """Write ``session`` into ``response``."""
        raise NotImplementedError


class JSONTag:
    """One type that JSON doesn't know: how it is recognised, written under `key`, and read back.

    Mirrors flask 3.1.3 json/tag.py: JSONTag.
    """

    key: str = ""
    # What `check` looks for, unless a subclass has a `check` of its own.
    types: type[t.Any] | None = None

    def __init__(self, serializer: TaggedJSONSerializer) -> None:
        self.serializer = serializer

    def check(self, value: t.Any) -> bool:
        """Return whether this tag is for ``value``."""
        if self.types is None:
            raise NotImplementedError
        return isinstance(value, self.types)

    def _missing(self, value: t.Any) -> t.Any:
        raise NotImplementedError

    # From a value to something that JSON knows, and back.
    to_json: t.Any = _missing
    to_python: t.Any = _missing

    def tag(self, value: t.Any) -> t.Any:
        """Return ``value`` under its key."""
        return {self.key: self.to_json(value)}


class TagDict(JSONTag):
    """A dict whose only key looks like a tag: the key is marked, so that it is not taken for one."""

    key = " di"

    def check(self, value: t.Any) -> bool:
        return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in self.serializer.tags

    def to_json(self, value: t.Any) -> t.Any:
        ((key, item),) = value.items()
        return {f"{key}__": self.serializer.tag(item)}

    def to_python(self, value: t.Any) -> t.Any:
        ((key, item),) = value.items()
        return {key[:-2]: item}


class PassDict(JSONTag):
    types = dict

    def tag(self, value: t.Any) -> t.Any:
        return {key: self.serializer.tag(item) for key, item in value.items()}


class PassList(JSONTag):
    types = list

    def tag(self, value: t.Any) -> t.Any:
        return [self.serializer.tag(item) for item in value]


class TagTuple(JSONTag):
    key = " t"
    types = tuple
    to_python = tuple

    def to_json(self, value: t.Any) -> t.Any:
        return [self.serializer.tag(item) for item in value]


class TagBytes(JSONTag):
    key = " b"
    types = bytes
    to_python = staticmethod(b64decode)

    def to_json(self, value: t.Any) -> t.Any:
        return b64encode(value).decode("ascii")


class TagMarkup(JSONTag):
    """Anything with ``__html__``; it comes back as Markup."""

    key = " m"
    to_python = Markup

    def check(self, value: t.Any) -> bool:
        return callable(getattr(value, "__html__", None))

    def to_json(self, value: t.Any) -> t.Any:
        return str(value.__html__())


class TagUUID(JSONTag):
    key = " u"

    # The module takes long to import, and few sessions have such a value.
    def check(self, value: t.Any) -> bool:
        from uuid import UUID

        return isinstance(value, UUID)

    def to_python(self, value: t.Any) -> t.Any:
        from uuid import UUID

        return UUID(value)

    def to_json(self, value: t.Any) -> t.Any:
        return value.hex


class TagDateTime(JSONTag):
    """A datetime, to the second, in UTC."""

    key = " d"
    types = datetime
    to_json = staticmethod(http_date)
    to_python = staticmethod(parse_date)


_FLASKS_TAGS = [TagDict, PassDict, TagTuple, PassList, TagBytes, TagMarkup, TagUUID, TagDateTime]


class TaggedJSONSerializer:
    """JSON that keeps tuples, bytes, Markup, UUIDs and datetimes apart, by tags that are tried in order.

    Mirrors flask 3.1.3 json/tag.py: TaggedJSONSerializer.
    """

    default_tags: t.ClassVar[list[type[JSONTag]]] = [*_FLASKS_TAGS]

    _plain_types: frozenset[type[t.Any]]

    def __init__(self) -> None:
        self.tags: dict[str, JSONTag] = {}
        self.order: list[JSONTag] = []
        for tag_class in self.default_tags:
            self.register(tag_class)
        if self.default_tags == _FLASKS_TAGS:
            self._plain_types = frozenset({str, int, float, bool, type(None)})

    def register(self, tag_class: type[JSONTag], force: bool = False, index: int | None = None) -> None:
        """Add a tag, at ``index`` or last; KeyError if its key is taken, unless ``force``."""
        tag = tag_class(self)
        if tag.key:
            if tag.key in self.tags and not force:
                raise KeyError(f"Tag '{tag.key}' is already registered.")
            self.tags[tag.key] = tag
        self.order.insert(len(self.order) if index is None else index, tag)
        self._plain_types = frozenset()

    def tag(self, value: t.Any) -> t.Any:
        """Return ``value`` with everything tagged that needs it, inwards."""
        # PERF: no tag of Flask's is for these, nor for a dict of these without a key that looks like a tag
        kind, plain = type(value), self._plain_types
        if kind in plain:
            return value
        if (
            plain
            and kind is dict
            and plain.issuperset(map(type, value.values()))
            and self.tags.keys().isdisjoint(value)
        ):
            return value
        for tag in self.order:
            if tag.check(value):
                return tag.tag(value)
        return value

    def untag(self, value: dict[str, t.Any]) -> t.Any:
        """Return the value that a dict of one tag stands for; any other dict as it is."""
        if len(value) == 1:
            ((key, item),) = value.items()
            if key in self.tags:
                return self.tags[key].to_python(item)
        return value

    def _untag_scan(self, value: t.Any) -> t.Any:
        if isinstance(value, dict):
            return self.untag({key: self._untag_scan(item) for key, item in value.items()})
        if isinstance(value, list):
            return [self._untag_scan(item) for item in value]
        return value

    def dumps(self, value: t.Any) -> str:
        """Return ``value`` as compact tagged JSON."""
        return dumps(self.tag(value), separators=(",", ":"))

    def loads(self, value: str) -> t.Any:
        """Return the value back from tagged JSON."""
        return self._untag_scan(loads(value))


session_json_serializer = TaggedJSONSerializer()


def _lazy_sha1(data: bytes = b"") -> t.Any:
    """Return SHA-1, looked up late: a FIPS build of Python has none, and its users configure another."""
    return hashlib.sha1(data)


@lru_cache(maxsize=8)
def _signer(
    keys: tuple[str, ...], salt: str, serializer: t.Any, key_derivation: str, digest_method: Callable[..., t.Any]
) -> URLSafeTimedSerializer:
    # PERF: one per set of keys instead of two per request; and its signer once, with the key that it derives.
    import hmac

    from itsdangerous import TimestampSigner, URLSafeTimedSerializer
    from itsdangerous.encoding import base64_encode

    class Signer(TimestampSigner):
        """A signer that takes the key into its HMAC once, and copies the HMAC for each value."""

        @cached_attribute
        def mac(self) -> hmac.HMAC:
            # PERF: if SHA-1 is named, OpenSSL's own HMAC is used.
            digest = "sha1" if self.digest_method is _lazy_sha1 else self.digest_method
            return hmac.new(self.derive_key(), digestmod=digest)

        def get_signature(self, value: str | bytes) -> bytes:
            mac = self.mac.copy()
            mac.update(value.encode() if isinstance(value, str) else value)
            return base64_encode(mac.digest())

        def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
            # PERF: any other signature, by an old key or in another spelling of Base64, is left to the base.
            same = type(sig) is bytes and hmac.compare_digest(self.get_signature(value), sig)
            return same or super().verify_signature(value, sig)

    options: dict[str, t.Any] = {"key_derivation": key_derivation, "digest_method": digest_method}
    made = URLSafeTimedSerializer(list(keys), salt, serializer, signer=Signer, signer_kwargs=options)
    made.make_signer = lru_cache(made.make_signer)  # type: ignore[method-assign]
    return made


def _vary_by_cookie(response: Response) -> None:
    # PERF: Werkzeug parses the header into a set and writes it back, also where there is none yet.
    if isinstance(response, BaseResponse) and all(name.lower() != "vary" for name, _ in response.headers._list):
        response.headers._list.append(("Vary", "Cookie"))
    else:
        response.vary.add("Cookie")


# Names and values in these letters need no quotes in a cookie, and end no header.
_is_plain_text = re.compile(r"[\w.-]*", re.ASCII).fullmatch
# Werkzeug's own, also where an application has put another function in its place.
_set_cookie_of_werkzeug = BaseResponse.set_cookie
_COOKIE_ATTRIBUTES = ("domain", "path", "secure", "partitioned", "samesite", "httponly")


@lru_cache(maxsize=32, typed=True)
def _cookie_attributes(*attributes: t.Any) -> str:
    """Return what follows the value in the Set-Cookie header."""
    return dump_cookie("", max_size=0, **dict(zip(_COOKIE_ATTRIBUTES, attributes, strict=True)))[1:]


def _set_cookie(
    response: Response, key: str, value: str, expires: datetime | None, attributes: tuple[t.Any, ...]
) -> None:
    """Do as ``response.set_cookie``."""
    # PERF: the attributes of a cookie that ends with the browser are the same each time, and written once.
    is_usual = getattr(response.set_cookie, "__func__", None) is _set_cookie_of_werkzeug
    if is_usual and expires is None and _is_plain_text(key + value):
        header = f"{key}={value}{_cookie_attributes(*attributes)}"
        max_size = response.max_cookie_size
        if not max_size or len(header) <= max_size:
            response.headers.add("Set-Cookie", header)
            return
    response.set_cookie(key, value, expires=expires, **dict(zip(_COOKIE_ATTRIBUTES, attributes, strict=True)))


# What a subclass may have of its own only if its sessions are opened as early as Flask's.
_SEEN_BY_AN_UNTOUCHED_SESSION = (
    "is_null_session", "make_null_session", "null_session_class", "open_session", "save_session", "session_class",
)  # fmt: skip


class SecureCookieSessionInterface(SessionInterface):
    """Sessions in a signed cookie. Mirrors flask 3.1.3 sessions.py: SecureCookieSessionInterface."""

    salt = "cookie-session"
    digest_method: t.Any = staticmethod(_lazy_sha1)
    key_derivation = "hmac"
    serializer: t.Any = session_json_serializer
    session_class: type[SecureCookieSession] = SecureCookieSession

    _waits = True

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        base = SecureCookieSessionInterface
        cls._waits = all(getattr(cls, name) is getattr(base, name) for name in _SEEN_BY_AN_UNTOUCHED_SESSION)

    def get_signing_serializer(self, app: App) -> URLSafeTimedSerializer | None:
        """Return what signs and reads the cookie; None without a secret key. Old keys still read."""
        secret_key = app.secret_key
        if not secret_key:
            return None
        keys = (*(app.config["SECRET_KEY_FALLBACKS"] or ()), secret_key)
        options = (keys, self.salt, self.serializer, self.key_derivation, self.digest_method)
        try:
            return _signer(*options)
        except TypeError:  # one of them has no hash
            return _signer.__wrapped__(*options)

    def supports_lazy_open(self, app: App, request: Request) -> bool:
        # Without its cookie a session is empty, and an empty one that nobody touched leaves no trace.
        # With it, it may be permanent: then it is sent anew although nobody touched it.
        cookies = request.environ.get("HTTP_COOKIE")
        if cookies is not None and self.get_cookie_name(app) in cookies:
            return False
        return self._waits

    def open_session(self, app: App, request: Request) -> SecureCookieSession | None:
        """Mirrors flask 3.1.3 sessions.py: SecureCookieSessionInterface.open_session."""
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            return None
        cookie = request.cookies.get(self.get_cookie_name(app))
        if not cookie:
            return self.session_class()
        try:
            max_age = int(app.permanent_session_lifetime.total_seconds())
            return self.session_class(serializer.loads(cookie, max_age=max_age))
        except Exception as e:
            from itsdangerous import BadSignature

            if not isinstance(e, BadSignature):
                raise
            return self.session_class()

    def save_session(self, app: App, session: t.Any, response: Response) -> None:
        """Mirrors flask 3.1.3 sessions.py: SecureCookieSessionInterface.save_session."""
        if session.accessed:
            _vary_by_cookie(response)
        if not session and not session.modified:
            return
        key = self.get_cookie_name(app)
        attributes = (
            self.get_cookie_domain(app),
            self.get_cookie_path(app),
            self.get_cookie_secure(app),
            self.get_cookie_partitioned(app),
            self.get_cookie_samesite(app),
            self.get_cookie_httponly(app),
        )
        if not session:
            response.delete_cookie(key, **dict(zip(_COOKIE_ATTRIBUTES, attributes, strict=True)))
        elif self.should_set_cookie(app, session):
            serializer = self.get_signing_serializer(app)
            assert serializer is not None
            value = serializer.dumps(dict(session))
            _set_cookie(response, key, value, self.get_expiration_time(app, session), attributes)
        else:
            return
        if not session.accessed:
            _vary_by_cookie(response)
