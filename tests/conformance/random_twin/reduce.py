"""Reduce a failing program: remove parts, or replace them with their defaults, as long as the program still fails."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass, replace

from .program import Program


def smaller(value: t.Any) -> Iterator[t.Any]:
    """Yield values that are one step simpler than `value`, the largest steps first."""
    if is_dataclass(value) and not isinstance(value, type):
        yield from _smaller_fields(value)
    elif isinstance(value, tuple):
        if len(value) > 3:
            yield from (value[: len(value) // 2], value[len(value) // 2 :])
        yield from (value[:n] + value[n + 1 :] for n in range(len(value)))
        yield from ((*value[:n], item, *value[n + 1 :]) for n in range(len(value)) for item in smaller(value[n]))


def _smaller_fields(value: t.Any) -> Iterator[t.Any]:
    for each in fields(value):
        now = getattr(value, each.name)
        default = each.default if each.default_factory is MISSING else each.default_factory()
        if default is not MISSING and now != default:
            yield replace(value, **{each.name: default})
        yield from (replace(value, **{each.name: item}) for item in smaller(now))


def reduce(program: Program, fails: Callable[[Program], bool]) -> Program:
    """Reduce `program` step by step as long as it `fails`. Each step makes its `repr` shorter. Return the result."""
    found: Program | None = program
    while found is not None:
        program, length = found, len(repr(found))
        shorter = (candidate for candidate in smaller(program) if len(repr(candidate)) < length)
        found = next((candidate for candidate in shorter if fails(candidate)), None)
    return program
