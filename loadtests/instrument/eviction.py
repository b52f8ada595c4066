"""Evict data and code from the CPU caches before a request, as other work of a server does between two requests.

Writing to memory evicts data. Calling many other functions evicts code, and also fills the branch predictor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

# The size of a cache line in bytes.
LINE = 64
_FUNCTION = """
def other_{number}(a):
    b = {{"key": a, {number}: [a, {number}]}}
    if a > {number}:
        b["more"] = str(a)
    elif a == -{number}:
        b.pop("key")
    for value in b.values():
        if value is None:
            a += 1
    return a ^ {number}
"""


class Eviction(NamedTuple):
    """How much to evict from the CPU caches.

    ``data`` is the size in bytes of a memory block: each of its cache lines is written once. ``code`` is the number of
    different functions to call.
    """

    data: int = 0
    code: int = 0

    def __str__(self) -> str:
        if self.code:
            return f"{self.code} functions of other code"
        unit, size = ("MiB", self.data >> 20) if self.data >= 1 << 20 else ("KiB", self.data >> 10)
        return f"{size} {unit} of other data" if self.data else "nothing"


def evictor(wanted: Eviction) -> Callable[[], object] | None:
    """Return a function that performs the eviction ``wanted``, or None if there is nothing to evict."""
    if not any(wanted):
        return None
    memory = bytearray(wanted.data)
    functions = _functions(wanted.code)

    def evict() -> None:
        if memory:
            memory[::LINE] = memory[LINE - 1 :: LINE]
        for function in functions:
            function(1)

    return evict


def _functions(count: int) -> list[Callable[[int], object]]:
    names: dict[str, Callable[[int], object]] = {}
    exec("".join(_FUNCTION.format(number=number) for number in range(count)), names)
    return [names[f"other_{number}"] for number in range(count)]
