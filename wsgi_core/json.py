"""JSON for requests and responses: the provider that an app owns, and the functions that ask it.

``request.get_json()`` and ``jsonify()`` come here. Outside an application context the functions fall back
on the standard library.
"""

from __future__ import annotations

import dataclasses
import json as _json
import typing as t
import weakref
from datetime import date
from functools import lru_cache
from json.encoder import c_make_encoder, encode_basestring, encode_basestring_ascii  # type: ignore[attr-defined]

from werkzeug.http import http_date

from .context import _cv_app, current_app

if t.TYPE_CHECKING:
    from .app import App
    from .wrappers import Response


Encode = t.Callable[[t.Any], str]


def _default(o: t.Any) -> t.Any:
    """Return what JSON doesn't know: dates as HTTP dates, decimals and UUIDs as text, dataclasses as objects."""
    if isinstance(o, date):
        return http_date(o)
    from decimal import Decimal  # as uuid, it takes long to import, and few values come here
    from uuid import UUID

    if isinstance(o, (Decimal, UUID)):
        return str(o)
    if dataclasses.is_dataclass(o):
        return dataclasses.asdict(o)  # type: ignore[arg-type]
    if hasattr(o, "__html__"):
        return str(o.__html__())
    raise TypeError(f"Object of type {type(o).__name__} is not JSON serializable")


@lru_cache(maxsize=64, typed=True)
def _encoder(default: t.Any, ensure_ascii: bool, sort_keys: bool, /, **options: t.Any) -> Encode:
    """Return what ``json.dumps`` does with these options, as a function of the object alone."""
    settings = {"default": default, "ensure_ascii": ensure_ascii, "sort_keys": sort_keys, **options}
    encoder = _json.JSONEncoder(**settings)
    if c_make_encoder is None or encoder.indent is not None:
        return encoder.encode
    # PERF: encode() makes this C object anew at each call, because it collects the containers on the way down
    # to find circles. Made once and without them, a circle ends in RecursionError, and encode() names it.
    quote = encode_basestring_ascii if encoder.ensure_ascii else encode_basestring
    separators = encoder.key_separator, encoder.item_separator
    options_left = encoder.sort_keys, encoder.skipkeys, encoder.allow_nan
    write = c_make_encoder(None, encoder.default, quote, None, *separators, *options_left)

    def encode(obj: t.Any) -> str:
        try:
            return "".join(write(obj, 0))
        except RecursionError:
            return encoder.encode(obj)

    return encode


_COMPACT = {"separators": (",", ":")}


# PERF: the options of nearly every response. A look-up without keywords makes a shorter key.
@lru_cache(maxsize=64)
def _compact_encoder(default: t.Any, ensure_ascii: bool, sort_keys: bool) -> Encode:
    return _encoder(default, ensure_ascii, sort_keys, **_COMPACT)


_TEXT_TYPES = frozenset({bytes, str})
_scan_once: t.Callable[[str, int], tuple[t.Any, int]] = _json.JSONDecoder().scan_once  # type: ignore[attr-defined]


class JSONProvider:
    """What an app needs to read and write JSON; a subclass gives `dumps` and `loads`.

    Mirrors flask 3.1.3 json/provider.py: JSONProvider.
    """

    def __init__(self, app: App) -> None:
        self._app = t.cast("App", weakref.proxy(app))

    def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
        """Return ``obj`` as JSON text."""
        raise NotImplementedError

    def dump(self, obj: t.Any, fp: t.IO[str], **kwargs: t.Any) -> None:
        """Write ``obj`` as JSON text to an open text file."""
        fp.write(self.dumps(obj, **kwargs))

    def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
        """Return the object that the JSON text ``s`` stands for; ValueError if it isn't JSON."""
        raise NotImplementedError

    def load(self, fp: t.IO[t.Any], **kwargs: t.Any) -> t.Any:
        """Do as `loads` does, from an open file."""
        return self.loads(fp.read(), **kwargs)

    def _prepare_response_obj(self, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]) -> t.Any:
        if not args:
            return kwargs or None
        if kwargs:
            raise TypeError("jsonify() takes either args or kwargs, not both")
        return args[0] if len(args) == 1 else args

    def response(self, *args: t.Any, **kwargs: t.Any) -> Response:
        """Return a JSON response: of one argument itself, of several a list, of keywords an object."""
        obj = self._prepare_response_obj(args, kwargs)
        return self._app.response_class(self.dumps(obj), mimetype="application/json")


class DefaultJSONProvider(JSONProvider):
    """The standard library's json, sorted keys, compact outside debug mode.

    Mirrors flask 3.1.3 json/provider.py: DefaultJSONProvider.
    """

    default: t.Callable[[t.Any], t.Any] = staticmethod(_default)
    ensure_ascii = True
    sort_keys = True
    compact: bool | None = None
    mimetype = "application/json"

    def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
        try:
            if kwargs == _COMPACT:
                encode = _compact_encoder(self.default, self.ensure_ascii, self.sort_keys)
            else:
                encode = _encoder(self.default, self.ensure_ascii, self.sort_keys, **kwargs)
        except TypeError:  # an option that can't be hashed, or "cls", which only json.dumps knows
            own = {"default": self.default, "ensure_ascii": self.ensure_ascii, "sort_keys": self.sort_keys}
            return _json.dumps(obj, **{**own, **kwargs})
        return encode(obj)

    def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
        # PERF: UTF-8 without white space around it needs no guess at its encoding and no search for its ends. Any
        # doubt goes to json.loads, which knows other encodings, and the words for what is wrong.
        if not kwargs and type(s) in _TEXT_TYPES:
            try:
                text = s if isinstance(s, str) else s.decode()
                value, end = _scan_once(text, 0)
                if end == len(text) or text[end:] == "\n":
                    return value
            except (ValueError, StopIteration):
                pass
        return _json.loads(s, **kwargs)

    def response(self, *args: t.Any, **kwargs: t.Any) -> Response:
        obj = args[0] if len(args) == 1 and not kwargs else self._prepare_response_obj(args, kwargs)
        app = self._app
        compact = not app.config["DEBUG"] if self.compact is None else self.compact
        text = self.dumps(obj, separators=(",", ":")) if compact else self.dumps(obj, indent=2)
        return app.response_class(text + "\n", mimetype=self.mimetype)


def dumps(obj: t.Any, **kwargs: t.Any) -> str:
    """Return ``obj`` as JSON text, by the current app's provider if there is one."""
    ctx = _cv_app.get(None)
    if ctx is not None:
        return ctx.app.json.dumps(obj, **kwargs)
    kwargs.setdefault("default", _default)
    return _json.dumps(obj, **kwargs)


def dump(obj: t.Any, fp: t.IO[str], **kwargs: t.Any) -> None:
    """Write ``obj`` as JSON text to an open text file."""
    ctx = _cv_app.get(None)
    if ctx is not None:
        ctx.app.json.dump(obj, fp, **kwargs)
    else:
        fp.write(dumps(obj, **kwargs))


def loads(s: str | bytes, **kwargs: t.Any) -> t.Any:
    """Return the object that the JSON text ``s`` stands for, by the current app's provider if there is one."""
    ctx = _cv_app.get(None)
    return _json.loads(s, **kwargs) if ctx is None else ctx.app.json.loads(s, **kwargs)


def load(fp: t.IO[t.Any], **kwargs: t.Any) -> t.Any:
    """Do as `loads` does, from an open file."""
    ctx = _cv_app.get(None)
    return _json.load(fp, **kwargs) if ctx is None else ctx.app.json.load(fp, **kwargs)


def jsonify(*args: t.Any, **kwargs: t.Any) -> Response:
    """Return a JSON response by the current app's provider. Mirrors flask 3.1.3 json/__init__.py: jsonify."""
    ctx = _cv_app.get(None)
    provider = current_app.json if ctx is None else ctx.app.json
    return provider.response(*args, **kwargs)
