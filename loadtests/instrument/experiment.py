"""The job of one measuring process: experiments with their contenders and requests, and how long to measure.

This module imports nothing that a measuring process does not need, because its heap affects what is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from loadtests.instrument.eviction import Eviction
from loadtests.instrument.request import Request

# The main group of experiments, for which a study has the narrowest intervals.
MAIN = "in process"
NOTHING = Eviction()
WSGI, ASGI, ANY = "wsgi", "asgi", "any"


@dataclass(frozen=True)
class Contender:
    """One application in an experiment. ``factory`` is ``"module:name"`` and is called with ``options``.

    Its responses must equal those of the other contenders, except for ``own_headers`` and the values of the JSON fields
    ``own_fields``. If ``compared`` is false, they are not compared. A contender with ``is_driver`` does nothing: its
    cost is subtracted from the others of its ``protocol``. The protocol is WSGI, ASGI, or ANY, which means that the
    worker looks at the application.
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
    """Contenders that get the same requests and are timed in the same rounds.

    The requests are those of ``case``, or ``requests``. With ``alike``, all contenders must respond with the same
    bytes. Ratios are relative to ``reference``. In a ``ladder``, each contender adds one step to the one before it.
    Experiments of one ``group`` share their measuring processes: experiments that import many modules have processes of
    their own, and fewer of them. ``evict`` says what is evicted from the CPU caches before each request, as other work
    in a server does.
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
        """The driver contender to subtract, for each contender whose driver is not the WSGI driver."""
        by_protocol = {one.protocol: one.name for one in self.contenders if one.is_driver}
        return {
            one.name: by_protocol[one.protocol]
            for one in self.contenders
            if one.protocol in by_protocol and not one.is_driver
        }

    def to_json(self) -> dict[str, Any]:
        """Return the experiment as plain values, for the job of a measuring process."""
        return {
            "key": self.key,
            "contenders": [asdict(contender) for contender in self.contenders],
            "requests": [request.to_json() for request in self.requests],
            "alike": self.alike,
            "evict": self.evict,
        }


@dataclass(frozen=True)
class Pace:
    """How many processes measure, and how long each experiment runs in one of them (seconds; blocks in ms)."""

    processes: int
    seconds: float
    warm_up: float
    block_ms: float

    def process_seconds(self, experiments: Sequence[Experiment], start: float = 0.4) -> float:
        """Return how long one process takes for all ``experiments``, with its start, the warm-ups and the rounds."""
        warm_ups = sum(len(one.contenders) + 1 for one in experiments) * self.warm_up
        # The last round is completed, which adds about half a round to each experiment.
        return start + warm_ups + len(experiments) * (self.seconds + 0.05)


@dataclass(frozen=True)
class Hooks:
    """The user's functions, as ``"module:name"``: one to call before a process's first request, one between rounds."""

    setup: str = ""
    reset: str = ""


def job(experiments: Sequence[Experiment], hooks: Hooks = Hooks(), **pace: Any) -> Mapping[str, Any]:
    """Return the job of a measuring process. Without a pace, the process only compares the responses."""
    return {"experiments": [one.to_json() for one in experiments], "hooks": asdict(hooks), "seconds": 0.0, **pace}
