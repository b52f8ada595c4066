"""The figures of a run are computed from its samples: net costs, steps, ratios, noise, and what limited the rate."""

from dataclasses import replace

import pytest

from loadtests import studies
from loadtests.instrument.results import LatencyResult, LoadResult
from loadtests.report import analysis, loads, tables
from tests.loadtests.synthetic import results_with


def test_the_drivers_cost_is_taken_off_every_rung(made_up):
    found = analysis.summarise(made_up).experiments[0]
    assert found.driver.value == pytest.approx(1.0)
    assert [cost.cost.value for cost in found.costs] == pytest.approx([5.0, 20.0, 10.0, 50.0])


def test_prices_of_the_steps_add_up_to_the_whole(made_up):
    found = analysis.summarise(made_up).experiments[0]
    steps = [cost.step.value for cost in found.costs if cost.step]
    assert sum(steps) + found.costs[0].cost.value == pytest.approx(50.0)


def test_ratios_are_those_of_net_costs(made_up):
    found = analysis.summarise(made_up).experiments[0]
    assert found.cost("wsgi_core").to_reference.value == pytest.approx(0.2)


def test_an_app_that_differs_from_itself_makes_the_run_noisy():
    results = results_with([1.0, 6.0, 21.0, 11.0, 12.0, 51.0])
    summary = analysis.summarise(results)
    assert summary.experiments[0].reach == pytest.approx(0.1)
    assert any("differences below 10% are not claimed" in said for said in tables.warnings(results, summary))


def test_a_quiet_run_is_not_noisy(made_up):
    assert not analysis.summarise(made_up).experiments[0].noisy
    assert tables.warnings(made_up, analysis.summarise(made_up)) == []


@pytest.mark.parametrize(
    ("found", "at_most", "verdict"),
    [
        ((0.15, 0.14, 0.16), True, "reached"),
        ((0.25, 0.24, 0.26), True, "missed"),
        ((0.19, 0.18, 0.21), True, "open"),
        ((0.25, 0.24, 0.26), False, "reached"),
        ((0.15, 0.14, 0.16), False, "missed"),
        ((0.21, 0.19, 0.22), False, "open"),
    ],
)
def test_a_goal_is_reached_only_by_the_whole_interval(found, at_most, verdict):
    goal = studies.Goal("g", "e", "a", "b", 0.2, at_most)
    assert analysis.verdict(goal, analysis.Estimate(*found)) == verdict


@pytest.mark.parametrize(
    ("server", "generator", "verdict"),
    [(0.95, 0.4, "server"), (0.95, 0.71, "generator"), (0.5, 0.95, "generator"), (0.5, 0.5, "neither")],
)
def test_the_verdict_says_what_bounded_a_run(server, generator, verdict):
    assert loads.bound_by(server, generator) == verdict


def load_result(**given):
    latencies = {"p50": 1.0, "p99": 2.0, "p99.9": 3.0}
    about = {"position": 0, "seconds": 10.0, "failures": 0, "generator_cpu_seconds": 1.0, "latencies_ms": latencies}
    runs = [
        {**about, "service": name, "pair": pair, "requests": 5000, "server_cpu_seconds": cpu, "latency_mean_ms": 7.6}
        for pair in range(3)
        for name, cpu in (("wsgi_core", 2.0), ("Flask", 4.0 + pair / 100))
    ]
    services = ["wsgi_core", "Flask"]
    rest = {"key": "k", "title": "t", "generator": "locust", "services": services, "users": 4, "server_threads": 4}
    return LoadResult.model_validate({**rest, "runs": runs, **given})


def test_cpu_time_at_a_rate_is_that_of_one_request():
    found = loads.summarise_load(load_result(mode="rate", rate=500.0))
    assert [one.server_cpu_us.value for one in found.services] == pytest.approx([400, 802])
    table = tables.load_table(found)
    assert table.title == "t: CPU time at 500 requests a second"
    assert table.rows[0][1] == "400"


def test_requests_under_way_are_rate_times_latency():
    found = loads.summarise_load(load_result())
    assert [one.in_flight for one in found.services] == pytest.approx([3.8, 3.8])
    assert "3.8 of 4" in tables.load_table(found).rows[0]


@pytest.mark.parametrize(("in_flight", "holds"), [(3.9, True), (4.3, False), (2.0, False)])
def test_littles_law_is_checked(in_flight, holds):
    one = replace(loads.summarise_load(load_result()).services[0], in_flight=in_flight)
    assert loads.law_holds(one, 4) is holds


def test_a_percentile_that_the_requests_do_not_carry_is_left_out():
    run_of = load_result().runs[0].model_dump()
    runs = [{**run_of, "requests": count, "generator": "open loop", "rate": 100.0} for count in (800, 1200)]
    about = {"key": "k", "title": "t", "server": "s", "services": ["wsgi_core"], "server_threads": 4, "users": 4}
    rest = {"connections": 8, "shares": [0.5], "rates": [100.0], "runs": runs}
    (found,) = loads.summarise_latencies(LatencyResult.model_validate({**about, **rest}))
    assert list(found.latencies_ms) == ["p50", "p99"]
    assert found.runs == 2


def test_the_driver_of_another_protocol_is_taken_off_instead():
    results = results_with([1.0, 6.0, 3.0, 21.0], ["raw callable", "ASGI driver", "Starlette (ASGI)"])
    results.experiments[0].drivers = {"Starlette (ASGI)": "ASGI driver"}
    results.experiments[0].reference = "raw callable"
    found = analysis.summarise(results).experiments[0]
    assert [(cost.name, cost.cost.value) for cost in found.costs] == [
        ("raw callable", pytest.approx(5.0)),
        ("Starlette (ASGI)", pytest.approx(18.0)),
    ]
