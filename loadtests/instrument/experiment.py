"""What one measuring process is told to do: experiments with their contenders and requests, and the pace.

Nothing here imports more than a measuring process needs: its heap is part of what is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from loadtests.instrument.eviction import Eviction
from loadtests.instrument.request import Request

# The group of experiments that the intervals of a study depend on.
MAIN = "in process"
NOTHING = Eviction()
WSGI, ASGI, ANY = "wsgi", "asgi", "any"


@dataclass(frozen=True)
class Contender:
    """One application in an experiment: ``factory`` is ``"module:name"``, called with ``options``.

    Its responses are those of the other contenders but for ``own_headers`` and the values of the JSON fields
    ``own_fields``; with ``compared`` false they are not compared. A contender that ``is_driver`` does nothing and
    answers nothing: its cost is taken off the others of its ``protocol`` (WSGI, ASGI, or ANY: the worker looks at the
    application).
    """

    name: str
    factory: str
    options: dict[str, Any] = field(default_factory=dict)
    protocol: str = WSGI
    own_headers: tuple[str, ...] = ()
    own_fields: tuple[str, ...] = ()
    is_driver: bool = False
    compared: bool = True


@dataclass(frozen=True)
class Experiment:
    """Contenders that get the same requests, timed in the same rounds.

    The requests are those of ``case``, or ``requests``. Contenders must answer the same bytes if ``alike``. Ratios are
    given to the ``reference``. In a ``ladder`` each contender is the one before it and one step more. Experiments of
    one ``group`` are measured by the same processes: those that import much have their own processes, and fewer of
    them. ``evict``: what is evicted from the caches before each request, as other work in a server does.
    """

    key: str
    title: str
    case: str
    contenders: tuple[Contender, ...]
    reference: str = "Flask"
    ladder: bool = False
    group: str = MAIN
    requests: tuple[Request, ...] = ()
    alike: bool = True
    evict: Eviction = NOTHING

    @property
    def drivers(self) -> dict[str, str]:
        """Which contender is taken off, by the names of those for which it is not the WSGI driver."""
        by_protocol = {one.protocol: one.name for one in self.contenders if one.is_driver}
        return {
            one.name: by_protocol[one.protocol]
            for one in self.contenders
            if one.protocol in by_protocol and not one.is_driver
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the job of a measuring process."""
        return {
            "key": self.key,
            "contenders": [asdict(contender) for contender in self.contenders],
            "requests": [request.to_json() for request in self.requests],
            "alike": self.alike,
            "evict": self.evict,
        }


@dataclass(frozen=True)
class Pace:
    """How many processes measure, and how long each experiment takes in one of them (seconds; blocks in ms)."""

    processes: int
    seconds: float
    warm_up: float
    block_ms: float

    def process_seconds(self, experiments: Sequence[Experiment], start: float = 0.4) -> float:
        """Return how long one process takes for all ``experiments``: its start, the warm-ups, the rounds."""
        warm_ups = sum(len(one.contenders) + 1 for one in experiments) * self.warm_up
        # A round runs to its end: about half of one is added to each experiment.
        return start + warm_ups + len(experiments) * (self.seconds + 0.05)


@dataclass(frozen=True)
class Hooks:
    """Functions of the user's own, as ``"module:name"``: before the first request of a process, and between rounds."""

    setup: str = ""
    reset: str = ""


def job(experiments: Sequence[Experiment], hooks: Hooks = Hooks(), **pace: Any) -> Mapping[str, Any]:
    """Return what a measuring process reads; without a pace it only asks each contender."""
    return {"experiments": [one.to_json() for one in experiments], "hooks": asdict(hooks), "seconds": 0.0, **pace}
