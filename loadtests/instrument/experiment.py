"""The job of one measuring process: experiments with their contenders and requests, and how long to measure.

A *contender* is an application in an experiment. A *driver* is a contender that does nothing: its cost is the cost of
calling an application. A *round* times one block of requests of each contender. This module imports little, because the
heap of a measuring process affects the results.
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
    """One application in an experiment. ``factory`` is ``"module:name"``, and is called with ``options``.

    ``protocol`` is WSGI, ASGI or ANY. With ANY, the measuring process finds out the protocol. If ``is_driver`` is true,
    the cost of this contender is subtracted from the costs of the contenders with the same protocol.

    ``own_headers`` are additional headers that this contender must send. ``own_fields`` are JSON fields whose values
    may differ. If ``compared`` is false, the responses of this contender are not compared.
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

    If ``requests`` is empty, the requests of ``case`` are sent (see ``cases.py``). If ``alike`` is true, the responses
    of all contenders must be equal, apart from the differences that ``Contender`` allows. Ratios are relative to the
    contender ``reference``. If ``ladder`` is true, the report also shows what each contender adds to the contender
    before it. ``evict`` is what to evict from the CPU caches before each request.

    The experiments of one ``group`` are measured in the same processes. Experiments that import many modules have their
    own groups, because these modules enlarge the heap.
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
        """The name of the driver for each contender: its cost is subtracted from the contender's cost. The keys are the
        contenders' names.

        A contender without an entry has the WSGI driver, which is not in ``contenders``. In the samples of a round, the
        WSGI driver is column 0.
        """
        by_protocol = {one.protocol: one.name for one in self.contenders if one.is_driver}
        return {
            one.name: by_protocol[one.protocol]
            for one in self.contenders
            if one.protocol in by_protocol and not one.is_driver
        }

    def to_json(self) -> dict[str, Any]:
        """Return the parts of the experiment that a measuring process needs, as a dict for JSON."""
        return {
            "key": self.key,
            "contenders": [asdict(contender) for contender in self.contenders],
            "requests": [request.to_json() for request in self.requests],
            "alike": self.alike,
            "evict": self.evict,
        }


@dataclass(frozen=True)
class Pace:
    """How many processes measure, and how long each process measures.

    In each process, an experiment takes about ``seconds``, the warm-up of a contender takes ``warm_up`` seconds, and a
    block takes ``block_ms`` milliseconds.
    """

    processes: int
    seconds: float
    warm_up: float
    block_ms: float

    def process_seconds(self, experiments: Sequence[Experiment], start: float = 0.4) -> float:
        """Return how many seconds one process takes for ``experiments``.

        ``start`` is the number of seconds that the process takes to start.
        """
        warm_ups = sum(len(one.contenders) + 1 for one in experiments) * self.warm_up
        # The last round is completed, which adds about half a round to each experiment.
        return start + warm_ups + len(experiments) * (self.seconds + 0.05)


@dataclass(frozen=True)
class Hooks:
    """The user's functions, each as ``"module:name"``, or ``""`` for none.

    ``setup`` is called before a process loads the applications. ``reset`` is called after each round.
    """

    setup: str = ""
    reset: str = ""


def job(experiments: Sequence[Experiment], hooks: Hooks = Hooks(), **pace: Any) -> Mapping[str, Any]:
    """Return the job of a measuring process.

    ``pace`` has the values for timing: ``seconds``, ``warm_up``, ``block_ms`` and ``seed``. Without ``seconds``, the
    process times nothing: it sends each request once, and compares responses that must be equal.
    """
    return {"experiments": [one.to_json() for one in experiments], "hooks": asdict(hooks), "seconds": 0.0, **pace}
