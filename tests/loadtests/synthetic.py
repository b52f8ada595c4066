"""Results with exactly known costs, for the tests that look at what is said about them."""

import random

from loadtests.instrument.results import ExperimentResult, Results

ENVIRONMENT = {"cpu": "a CPU", "python": "CPython 3.11 (GCC)", "threads": 2, "usable_threads": 2, "versions": {}}
SHORT = ["raw callable", "Werkzeug objects", "wsgi_core", "wsgi_core again", "Flask"]


def processes(costs, count=6, rounds=10, noise=0.0, seed=1):
    """Blocks of 1,000 requests; ``costs`` in µs, the driver's first; ``noise`` is a share that a process shares."""
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


def experiment(key, costs, reference=None, ladder=False, title=None, **options):
    """``costs``: µs by contender over a driver of 1 µs."""
    about = {"key": key, "title": title or key.title(), "contenders": list(costs), "ladder": ladder}
    blocks = processes([1.0, *(cost + 1 for cost in costs.values())], **options)
    return ExperimentResult.model_validate({**about, "reference": reference or list(costs)[-1], "processes": blocks})


def results(*experiments, **others):
    """A whole file."""
    about = {"study": "service", "title": "Title", "quick": True, "partial": False, "started": "2026-01-01T00:00:00"}
    rest = {"planned_seconds": 1.0, "command": "c", "rows": "real", "environment": ENVIRONMENT}
    return Results.model_validate({**about, **rest, "experiments": list(experiments), **others})


def results_with(costs, contenders=SHORT):
    """Five processes of ten blocks with these costs in µs, the driver's first."""
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
