"""Summarise what was measured behind servers: rates, CPU times, latencies, and what limited the rate.

A *load* is a measurement of several services in turn, in several repetitions. At *saturation*, clients send requests
without a pause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from operator import sub

import numpy as np

from loadtests.instrument.results import LatencyResult, LatencyRun, LoadResult, Run
from loadtests.instrument.stats import Estimate, student_estimate, student_ratio

# A load generator or a server that uses more than this share of a core may limit the rate.
GENERATOR_LIMIT = 0.7
SERVER_LIMIT = 0.85
# In a closed loop, each client has one request in flight, except while the client itself works. More requests than
# clients, apart from those at the edges of a short window, mean that the count is wrong. Far fewer requests mean that
# the clients were too slow.
MOST_IN_FLIGHT, LEAST_IN_FLIGHT = 1.05, 0.7


@dataclass(frozen=True)
class Served:
    """The mean values of one service under load.

    ``bound_by`` says what limited the rate (see the function ``bound_by``). ``generator_share`` and ``server_share``
    are shares of one core. ``in_flight`` is the mean number of requests in flight, or 0 if the mean latency is unknown.
    """

    name: str
    requests_per_second: Estimate
    server_cpu_us: Estimate
    latencies_ms: dict[str, float]
    generator_share: float
    bound_by: str
    server_share: float
    in_flight: float


@dataclass(frozen=True)
class LoadSummary:
    """The services of a load, and how each service compares with every other service.

    Services are compared within each repetition. ``pairs`` is the number of complete repetitions. ``rates["a", "b"]``
    is the rate of a divided by the rate of b. ``cpu["a", "b"]`` is the CPU time per request of a divided by that of b.
    ``cpu_differences["a", "b"]`` is the difference of these CPU times, a - b, in µs.
    """

    result: LoadResult
    pairs: int
    services: list[Served]
    rates: dict[tuple[str, str], Estimate]
    cpu: dict[tuple[str, str], Estimate]
    cpu_differences: dict[tuple[str, str], Estimate]


@dataclass(frozen=True)
class LatencySummary:
    """The latencies of one service at one rate with one generator, each percentile in ms with its interval.

    A percentile is omitted if a run has too few requests for it. ``asked`` is the intended rate and ``reached`` is the
    actual rate, in requests a second. ``lag_ms`` is how late the open-loop generator itself was: the mean of the 99th
    percentiles of the runs.
    """

    result: LatencyResult
    service: str
    generator: str
    share: float
    asked: float
    reached: Estimate
    latencies_ms: dict[str, Estimate]
    generator_share: float
    lag_ms: float
    runs: int


def summarise_load(result: LoadResult) -> LoadSummary:
    """Return the summary of a load. Services are compared within each repetition, never across repetitions."""
    pairs = _complete_pairs(result)
    rates = {name: [pair[name].requests_per_second for pair in pairs] for name in result.services}
    cpu = {name: [pair[name].server_cpu_us for pair in pairs] for name in result.services}
    ordered = list(permutations(result.services, 2))
    return LoadSummary(
        result=result,
        pairs=len(pairs),
        services=[_served(result, name) for name in result.services],
        rates={(a, b): student_ratio(rates[a], rates[b]) for a, b in ordered},
        cpu={(a, b): student_ratio(cpu[a], cpu[b]) for a, b in ordered},
        cpu_differences={(a, b): student_estimate(list(map(sub, cpu[a], cpu[b]))) for a, b in ordered},
    )


def _complete_pairs(result: LoadResult) -> list[dict[str, Run]]:
    pairs: dict[int, dict[str, Run]] = {}
    for run in result.runs:
        pairs.setdefault(run.pair, {})[run.service] = run
    return [pair for pair in pairs.values() if len(pair) == len(result.services)]


def _served(result: LoadResult, name: str) -> Served:
    runs = [run for run in result.runs if run.service == name]
    generator = _mean([run.generator_share for run in runs])
    server = _mean([run.server_cpu_seconds / run.seconds for run in runs])
    return Served(
        name=name,
        requests_per_second=student_estimate([run.requests_per_second for run in runs]),
        server_cpu_us=student_estimate([run.server_cpu_us for run in runs]),
        latencies_ms={key: _mean([run.latencies_ms[key] for run in runs]) for key in runs[0].latencies_ms},
        generator_share=generator,
        bound_by=bound_by(server, generator),
        server_share=server,
        in_flight=_mean([run.in_flight for run in runs]),
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def bound_by(server_share: float, generator_share: float) -> str:
    """Return what limited the rate: ``"generator"``, ``"server"`` or ``"neither"``.

    A process that uses most of a core is taken to be the limit. The generator is checked first.
    """
    if generator_share >= GENERATOR_LIMIT:
        return "generator"
    return "server" if server_share >= SERVER_LIMIT else "neither"


def law_holds(service: Served, users: int) -> bool:
    """Return whether Little's law holds at saturation: rate times mean latency is about the number of clients.

    The limits allow for the clients' own time between two requests. If the mean latency is unknown, return True.
    """
    return not service.in_flight or LEAST_IN_FLIGHT <= service.in_flight / users <= MOST_IN_FLIGHT


def summarise_latencies(result: LatencyResult) -> list[LatencySummary]:
    """Return a summary for each rate, service and generator. The open loop comes before Locust."""
    found = []
    for rate, share in zip(result.rates, result.shares, strict=True):
        for service in result.services:
            for generator in ("open loop", "locust"):
                runs = [r for r in result.runs if (r.service, r.generator, r.rate) == (service, generator, rate)]
                if runs:
                    found.append(_summarise_latency(result, share, runs))
    return found


def _summarise_latency(result: LatencyResult, share: float, runs: Sequence[LatencyRun]) -> LatencySummary:
    fewest = min(run.requests for run in runs)
    carried = [name for name in runs[0].latencies_ms if fewest * (1 - float(name[1:]) / 100) >= 1]
    return LatencySummary(
        result=result,
        service=runs[0].service,
        generator=runs[0].generator,
        share=share,
        asked=runs[0].rate,
        reached=student_estimate([run.requests_per_second for run in runs]),
        latencies_ms={name: student_estimate([run.latencies_ms[name] for run in runs]) for name in carried},
        generator_share=_mean([run.generator_share for run in runs]),
        lag_ms=_mean([run.lag_ms.get("p99", 0.0) for run in runs]),
        runs=len(runs),
    )
