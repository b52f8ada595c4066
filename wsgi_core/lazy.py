"""Attributes that wait: computed when somebody asks, which for most requests is never."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

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
