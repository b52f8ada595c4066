"""Render the page ``VALIDATION.md`` from ``validation.json``: how the instrument was tested, and what it measured.

The *bare callable* is a plain WSGI function. A *further run* is one more call of the bare callable in the same request.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from loadtests import validate
from loadtests.instrument.results import ExperimentResult, LoadResult
from loadtests.instrument.stats import Estimate, student_estimate
from loadtests.report import format as pages
from loadtests.report.figures import matrices
from loadtests.report.format import Table, cells, interval, machine_of, number
from loadtests.report.loads import summarise_load

FALSE_LIMIT = 0.05
# With fewer comparisons of an app with itself, the share of false positives is too uncertain for a verdict.
ENOUGH = 100
# The factor that widens 95 % intervals so that four of them hold at once at 95 % (Bonferroni).
FOUR_AT_ONCE = 1.274
# The maximum half-width of the difference between the sum and the whole, as a share of the whole.
SUM_LIMIT = 0.05
SLOPE_LIMIT = 0.05
FIVE_LIMIT = 0.5
GENERATOR_LIMIT = 0.7
LITTLE_LIMIT = 0.1

REACHED, MISSED, OPEN = "reached", "missed", "open"


@dataclass(frozen=True)
class Check:
    """A claim about the instrument (``text``), its evidence (``found``), and its verdict."""

    text: str
    found: str
    verdict: str


def checks(found: validate.Validation) -> list[Check]:
    """Return the checks for which there are enough samples."""
    made = []
    if found.same:
        made.append(_false_check(found))
    for result, place in _delays(found):
        made += _delay_checks(result, place)
    if len(found.runs.processes) > 1:
        made += _runs_checks(found.runs)
    if len(found.delays.processes) > 1:
        made.append(_within_check(found))
    if all(len(one.processes) > 1 for one in found.steps):
        made.append(_sum_check(found))
    if found.served_rate.runs:
        made += [_generator_check(found.served_rate), _little_check(found.served_saturation)]
    return made


def _verdict(reached: bool, missed: bool) -> str:
    return REACHED if reached else MISSED if missed else OPEN


def _false_check(found: validate.Validation) -> Check:
    share = validate.wilson_estimate([one.differs for one in found.same])
    text = f"at most {FALSE_LIMIT:.0%} false positives at 95 %, in {len(found.same)} comparisons of an app with itself"
    said = f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"
    return Check(
        text, said, _verdict(share.value <= FALSE_LIMIT and len(found.same) >= ENOUGH, share.low > FALSE_LIMIT)
    )


def _delays(found: validate.Validation) -> list[tuple[ExperimentResult, str]]:
    """Return the measured experiments with injected delays, and where the delays were injected."""
    both = ((found.delays, "in Flask"), (found.bare_delays, "in the bare callable"))
    return [(result, place) for result, place in both if len(result.processes) > 1]


def _delay_checks(result: ExperimentResult, place: str) -> list[Check]:
    five = validate.recovered(result)[5]
    return [
        Check(
            f"5 µs injected {place} are measured within ± {FIVE_LIMIT} µs",
            f"{number(five.value)} µs ({interval(five)})",
            _near(five, 5, FIVE_LIMIT),
        ),
        _slope_check(f"measured against injected delays {place}", validate.slope(result)),
    ]


def _runs_checks(result: ExperimentResult) -> list[Check]:
    one = validate.measured_runs(result)[1]
    lengths = f"{number(one.known.value)} µs long, measured {number(one.measured.value)}"
    return [
        Check(
            f"one further run of the bare callable is measured within ± {FIVE_LIMIT} µs",
            f"{lengths}, difference {_signed(one.off)} µs",
            _near(one.off, 0, FIVE_LIMIT),
        ),
        _slope_check("measured against known lengths of further runs", validate.runs_slope(result)),
    ]


def _slope_check(what: str, line: Estimate) -> Check:
    found = f"{number(line.value, 4)} ({interval(line, 4)})"
    return Check(f"{what}: slope 1 ± {SLOPE_LIMIT}", found, _near(line, 1, SLOPE_LIMIT))


def _near(found: Estimate, expected: float, limit: float) -> str:
    """Return the verdict on whether ``found`` is within ``limit`` of ``expected``."""
    off = abs(found.value - expected)
    return _verdict(off <= limit and found.half_width <= limit, off > limit + found.half_width)


def _within_check(found: validate.Validation) -> Check:
    delays = validate.recovered(found.delays)
    within = [delay for delay, value in delays.items() if abs(value.value - delay) <= FOUR_AT_ONCE * value.half_width]
    return Check(
        "each delay in Flask lies within its interval (widened so that all four hold together)",
        ", ".join(f"{delay} µs {'yes' if delay in within else 'no'}" for delay in delays),
        _verdict(len(within) == len(delays), len(within) < len(delays)),
    )


def _sum_check(found: validate.Validation) -> Check:
    total, whole, between = validate.sum_of_steps(found.steps)
    sharp = between.half_width <= SUM_LIMIT * whole.value
    said = f"{number(total.value)} and {number(whole.value)} µs, difference {_signed(between)} µs"
    return Check("the prices of the steps, each measured separately, add up to the whole", said,
                 _verdict(not between.excludes(0) and sharp, between.excludes(0)))  # fmt: skip


def _generator_check(load: LoadResult) -> Check:
    worst = max(run.generator_share for run in load.runs)
    said = f"at most {worst:.0%} of a core, at {number(load.rate)} requests a second"
    return Check(f"the load generator has headroom: below {GENERATOR_LIMIT:.0%} of a core", said,
                 _verdict(worst < GENERATOR_LIMIT, worst >= GENERATOR_LIMIT))  # fmt: skip


def _little_check(load: LoadResult) -> Check:
    shares = [run.in_flight / load.users for run in load.runs]
    worst = max(shares, key=lambda share: abs(share - 1))
    said = f"{worst:.1%} of the {load.users} clients in the worst case"
    return Check("rate times mean latency gives the number of clients (Little's law)", said,
                 _verdict(abs(worst - 1) <= LITTLE_LIMIT, abs(worst - 1) > LITTLE_LIMIT))  # fmt: skip


def _signed(value: Estimate) -> str:
    return f"{value.value:+.2f} ({value.low:+.2f} to {value.high:+.2f})"


# The page


def render(found: validate.Validation) -> str:
    """Return the whole page. Parts without samples are omitted."""
    delays, bare, runs = (len(one.processes) > 1 for one in (found.delays, found.bare_delays, found.runs))
    bare_slope = validate.slope(found.bare_delays) if delays and bare else None
    return pages.render(
        "validation.md",
        found=found,
        machine=machine_of(found.environment),
        checks=check_table(found),
        same=_same_table(found) if found.same else None,
        delays=_delay_table(found) if delays else None,
        hook=validate.price(found.delays, validate.delay_name(0), validate.NO_HOOK) if delays else None,
        slope=validate.slope(found.delays) if delays else None,
        bare_slope=bare_slope,
        costly=bare_slope is not None and bare_slope.low > 1,
        runs=_runs_words(found.runs) if runs else None,
        steps=_step_table(found) if all(len(one.processes) > 1 for one in found.steps) else None,
        heat=_heat(found) if found.served_rate.runs and len(found.cold.processes) > 1 else None,
    )


def _runs_words(result: ExperimentResult) -> dict[str, object]:
    """Return the values for the page's part on further runs.

    ``single`` is the cost of a single run. ``counts`` has the numbers of further runs, as text. ``slope`` is the slope
    of the measured against the known durations of the further runs. ``exact`` says whether this slope is near 1.
    """
    single, slope = validate.measured_runs(result)[1].known, validate.runs_slope(result)
    counts = ", ".join(str(runs) for runs in validate.RUNS[1:-1])
    return {"table": _runs_table(result), "single": single, "slope": slope,
            "counts": f"{counts} or {validate.RUNS[-1]}", "exact": _near(slope, 1, SLOPE_LIMIT) == REACHED}  # fmt: skip


def _heat(found: validate.Validation) -> dict[str, object]:
    """Return the values for the page's part on what Flask adds to the bare callable.

    ``hot``, ``cold`` and ``served`` are what Flask adds with hot caches, with cold caches, and behind a server.
    ``memory`` is the number of MiB that are written before each request to make the caches cold. ``rate`` is the rate
    behind the server.
    """
    first, *_, last = validate.SERVED_NAMES
    hot, cold = (validate.price(one, last, first) for one in (found.hot, found.cold))
    served = summarise_load(found.served_rate).cpu_differences[last, first]
    return {"hot": hot, "cold": cold, "served": served, "memory": validate.COLD_BYTES >> 20,
            "rate": found.served_rate.rate, "table": _served_table(found)}  # fmt: skip


def check_table(found: validate.Validation) -> Table:
    """Return the table of the checks. The mark of a row is the verdict of its check."""
    made = checks(found)
    rows = [[one.text, one.found, one.verdict] for one in made]
    return Table("", ["claim", "found", ""], rows, marks=[one.verdict for one in made])


def _same_table(found: validate.Validation) -> Table:
    rows = []
    for subject, group in groupby(sorted(found.same, key=attrgetter("subject")), key=attrgetter("subject")):
        of = list(group)
        reach = sum((one.high - one.low) / 2 / one.cost for one in of) / len(of)
        rows.append([subject, str(len(of)), str(sum(one.differs for one in of)), f"± {reach:.2%}",
                     f"{sum(one.naive_differs for one in of) / len(of):.0%}"])  # fmt: skip
    heads = ["", "comparisons", "false positives", "interval, mean", "false positives of a t-test over blocks"]
    return Table("", heads, rows)


def _delay_table(found: validate.Validation) -> Table:
    heads, rows = ["injected"], [[f"{delay} µs"] for delay in validate.DELAYS[1:]]
    for result, place in _delays(found):
        heads += [f"measured {place}, µs", "95 % interval"]
        for row, value in zip(rows, validate.recovered(result).values(), strict=True):
            row += cells(value)
    return Table("", heads, rows)


def _runs_table(result: ExperimentResult) -> Table:
    heads = ["further runs", "known length, µs", "measured, µs", "95 % interval", "difference, µs"]
    rows = [
        [str(runs), number(one.known.value), number(one.measured.value), interval(one.measured), _signed(one.off)]
        for runs, one in validate.measured_runs(result).items()
    ]
    return Table("", heads, rows)


def _step_table(found: validate.Validation) -> Table:
    rows = []
    for one in found.steps:
        value = validate.price(one, one.contenders[1], one.contenders[0])
        name = f"the whole: {one.contenders[0]} → {one.contenders[1]}" if one.key == validate.WHOLE else one.key
        rows.append([name, *cells(value)])
    total, _, between = validate.sum_of_steps(found.steps)
    rows.append(["the sum of the steps", *cells(total)])
    rows.append(["the whole less the sum", f"{between.value:+.2f}", f"{between.low:+.2f} to {between.high:+.2f}"])
    return Table("", ["", "µs", "95 % interval"], rows)


def _served_table(found: validate.Validation) -> Table:
    rows = []
    for place, service in enumerate(summarise_load(found.served_rate).services, start=1):
        hot, cold = (
            student_estimate([float((table[:, place] - table[:, 0]).mean()) for table in matrices(one)])
            for one in (found.hot, found.cold)
        )
        served = service.server_cpu_us.value
        rows.append([service.name, *map(number, (hot.value, cold.value, served, served - hot.value))])
    return Table("", ["", "in process", "cold caches", "served", "the server adds"], rows)
