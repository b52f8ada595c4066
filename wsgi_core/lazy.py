"""What waits until it is used: attributes that most requests never need, and proxies of what is current."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from contextvars import ContextVar

from werkzeug.local import LocalProxy as BaseLocalProxy

T = t.TypeVar("T")


class _CachedAttribute:
    # PERF: functools.cached_property takes a lock, on Python 3.11, at the price of all that is computed here.
    def __init__(self, compute: Callable[[t.Any], t.Any]) -> None:
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, obj: t.Any, owner: type | None = None) -> t.Any:
        if obj is None:
            return self
        value = obj.__dict__[self.name] = self.compute(obj)
        return value


def cached_attribute(compute: Callable[[t.Any], T]) -> T:
    """Return an attribute that is computed when first read and plain from then on; it may be set as well."""
    return t.cast(T, _CachedAttribute(compute))


def proxy(var: ContextVar[t.Any], name: str, unbound_message: str) -> t.Any:
    """Return Werkzeug's proxy of the attribute ``name`` of what ``var`` holds, whose usual operations take one call."""

    # PERF: the base goes through an AttributeError and three calls for each request.x; views are full of them.
    class LocalProxy(BaseLocalProxy[t.Any]):
        __slots__ = ()

        def __getattribute__(self, attribute: str) -> t.Any:
            if attribute[:1] == "_":
                return super().__getattribute__(attribute)
            ctx = var.get(None)
            return getattr(self._get_current_object() if ctx is None else getattr(ctx, name), attribute)

        def __setattr__(self, attribute: str, value: t.Any) -> None:
            ctx = var.get(None)
            setattr(self._get_current_object() if ctx is None else getattr(ctx, name), attribute, value)

        def __getitem__(self, key: t.Any) -> t.Any:
            ctx = var.get(None)
            return (self._get_current_object() if ctx is None else getattr(ctx, name))[key]

        def __setitem__(self, key: t.Any, value: t.Any) -> None:
            ctx = var.get(None)
            (self._get_current_object() if ctx is None else getattr(ctx, name))[key] = value

        def __contains__(self, key: object) -> bool:
            ctx = var.get(None)
            return key in (self._get_current_object() if ctx is None else getattr(ctx, name))

    return LocalProxy(var, name, unbound_message=unbound_message)
