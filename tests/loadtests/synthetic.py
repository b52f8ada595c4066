"""Results with exactly known costs, for the tests of the report."""

import random

from loadtests.instrument.results import ExperimentResult, Process, Results

ENVIRONMENT = {"cpu": "a CPU", "python": "CPython 3.11 (GCC)", "threads": 2, "usable_threads": 2, "versions": {}}
SHORT = ["raw callable", "Werkzeug objects", "wsgi_core", "wsgi_core again", "Flask"]


def processes(costs, count=6, rounds=10, noise=0.0, seed=1):
    """Return processes with blocks of 1,000 requests. ``costs`` are in µs, first the driver's.

    In each process, a cost is multiplied by a random factor with the mean 1 and the standard deviation ``noise``.
    """
    rng = random.Random(seed)
    made = []
    for number in range(count):
        own = [cost * (1 + rng.gauss(0, noise)) for cost in costs]
        blocks = [
            (place, contender, 1000, round(cost * 1e6), round(cost * 1e6))
            for place in range(rounds)
            for contender, cost in enumerate(own)
        ]
        made.append({"hash_seed": number, "clock": "cpu", "clock_step_ns": 100, "blocks": blocks})
    return made


def measure(workers, experiments, pace, hash_seed):
    """Return made-up samples of one process for each experiment, with the parameters of `Workers.measure`."""
    samples = {
        one.key: processes([1.0 + place for place in range(len(one.contenders) + 1)], 1)[0] for one in experiments
    }
    return {key: Process.model_validate({**sample, "hash_seed": hash_seed}) for key, sample in samples.items()}


def experiment(key, costs, reference=None, ladder=False, title=None, **options):
    """Return a result with these net costs, in µs by contender. The driver costs 1 µs."""
    about = {"key": key, "title": title or key.title(), "contenders": list(costs), "ladder": ladder}
    blocks = processes([1.0, *(cost + 1 for cost in costs.values())], **options)
    return ExperimentResult.model_validate({**about, "reference": reference or list(costs)[-1], "processes": blocks})


def results(*experiments, **others):
    """Return the contents of a result file with these experiments."""
    about = {"study": "service", "title": "Title", "quick": True, "partial": False, "started": "2026-01-01T00:00:00"}
    rest = {"planned_seconds": 1.0, "command": "c", "rows": "real", "environment": ENVIRONMENT}
    return Results.model_validate({**about, **rest, "experiments": list(experiments), **others})


def results_with(costs, contenders=SHORT):
    """Return results of five processes with ten rounds each. ``costs`` are in µs, first the driver's."""
    blocks = [
        (number, contender, 100, round(cost * 100_000), round(cost * 100_000))
        for number in range(10)
        for contender, cost in enumerate(costs)
    ]
    processes = [{"hash_seed": n, "clock": "cpu", "clock_step_ns": 100, "blocks": blocks} for n in range(5)]
    experiment = {
        "key": "null",
        "title": "Null",
        "contenders": contenders,
        "reference": "Flask",
        "ladder": True,
        "processes": processes,
    }
    about = {"study": "service", "title": "t", "quick": True, "partial": False, "started": "2026-01-01T00:00:00+00:00"}
    rest = {"planned_seconds": 1.0, "command": "c", "rows": "real", "environment": {}, "experiments": [experiment]}
    return Results.model_validate({**about, **rest})
