"""Comparisons of two result files: a verdict only if the interval supports it, and an exit code for each outcome."""

import pytest

from loadtests.cli import overhead
from loadtests.instrument.stats import Estimate
from loadtests.report import comparison
from loadtests.report.comparison import SAME, SLOWER, UNKNOWN, compare, verdict
from tests.loadtests.synthetic import ENVIRONMENT, experiment, results
from tests.runner import CliRunner

COSTS = {"raw callable": 10.0, "wsgi_core": 20.0, "Flask": 60.0}


def file(factor=1.0, machine=1.0, seed=1, noise=0.002, **others):
    costs = {**COSTS, "wsgi_core": COSTS["wsgi_core"] * factor}
    costs = {name: cost * machine for name, cost in costs.items()}
    return results(experiment("null", costs, noise=noise, seed=seed, count=10), **others)


def verdicts(found):
    return {change.name: change.verdict for change in found.changes}


def test_the_same_code_is_the_same():
    found = compare(file(), file(seed=2), 0.05)
    assert verdicts(found) == {"wsgi_core": "same", "Flask": "same"}
    assert found.code == SAME


def test_what_became_slower_is_named():
    found = compare(file(), file(1.2, seed=2), 0.05)
    assert verdicts(found) == {"wsgi_core": "slower", "Flask": "same"}
    assert found.code == SLOWER
    assert found.sentence == "Slower by more than 5%: wsgi_core (null)."


def test_what_became_cheaper_is_no_regression():
    found = compare(file(), file(0.7, seed=2), 0.05)
    assert verdicts(found)["wsgi_core"] == "faster"
    assert found.code == SAME


def test_a_machine_that_is_slower_as_a_whole_is_no_regression():
    assert compare(file(), file(machine=1.25, seed=2), 0.05).code == SAME


def test_noise_is_not_taken_for_a_verdict():
    found = compare(file(noise=0.15), file(noise=0.15, seed=2), 0.05)
    assert "open" in verdicts(found).values()
    assert found.code == UNKNOWN
    assert found.sentence.startswith("No verdict on whether these became slower")


def test_without_the_bare_callable_the_driver_is_the_yardstick():
    old, new = (results(experiment("r.http", {"mine": cost, "mine again": cost}, noise=0.001)) for cost in (20, 30))
    found = compare(old, new, 0.05)
    assert verdicts(found) == {"mine": "slower"}


def test_an_asgi_application_costs_what_it_adds_to_the_asgi_driver():
    costs = ({"mine": mine, "mine again": mine, "asgi": 20.0} for mine in (30.0, 40.0))
    made = (experiment("r.http", one, noise=0.001) for one in costs)
    drivers = dict.fromkeys(("mine", "mine again"), "asgi")
    old, new = (results(one.model_copy(update={"drivers": drivers})) for one in made)
    (change,) = (one for one in compare(old, new, 0.05).changes if one.name == "mine")
    assert (change.old, change.new) == (pytest.approx(10, rel=0.05), pytest.approx(20, rel=0.05))


def test_another_processor_gives_no_verdict():
    found = compare(file(), file(environment={**ENVIRONMENT, "cpu": "another"}), 0.05)
    assert found.code == UNKNOWN
    assert "processors differ" in found.sentence


def test_nothing_in_common_gives_no_verdict():
    found = compare(file(), results(experiment("other", COSTS)), 0.05)
    assert found.code == UNKNOWN
    assert "no common application" in found.sentence


def test_another_version_is_noted():
    new = file(environment={**ENVIRONMENT, "versions": {"flask": "9.9"}}, partial=True)
    assert compare(file(), new, 0.05).notes == ["NEW is from an interrupted run", "flask: none, now 9.9"]


def load(cpu):
    runs = [
        {"service": name, "pair": pair, "position": 0, "seconds": 1.0, "requests": 1000, "failures": 0,
         "server_cpu_seconds": us * (1 + pair / 1000) / 1000, "generator_cpu_seconds": 0.1, "latencies_ms": {}}
        for pair in range(5)
        for name, us in cpu.items()
    ]  # fmt: skip
    about = {"key": "services_rate", "title": "t", "generator": "locust", "services": list(cpu), "users": 4}
    return {**about, "server_threads": 4, "mode": "rate", "rate": 100.0, "runs": runs}


def test_served_cpu_time_is_compared_too():
    old, new = (results(loads=[load({"wsgi_core": us, "Flask": 300})]) for us in (200, 250))
    found = compare(old, new, 0.05)
    assert verdicts(found) == {"wsgi_core": "slower", "Flask": "same"}
    assert (found.changes[0].old, found.changes[0].new) == pytest.approx((200.4, 250.5))


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        ((1.2, 1.1, 1.3), "slower"),
        ((1.06, 1.0, 1.12), "open"),
        ((1.0, 0.97, 1.03), "same"),
        ((0.9, 0.8, 1.0), "same"),
        ((0.8, 0.7, 0.9), "faster"),
    ],
)
def test_a_verdict_needs_the_whole_interval(ratio, expected):
    assert verdict(Estimate(*ratio), 0.05) == expected


@pytest.mark.parametrize(("factor", "code"), [(1.0, SAME), (1.3, SLOWER)])
def test_the_command_gives_a_code_that_scripts_can_use(tmp_path, factor, code):
    file().write(tmp_path / "old.json")
    file(factor, seed=2).write(tmp_path / "new.json")
    outcome = CliRunner().invoke(overhead, ["compare", str(tmp_path / "old.json"), str(tmp_path / "new.json")])
    assert outcome.exit_code == code, outcome.output
    assert "wsgi_core" in outcome.output


def test_a_file_that_is_no_result_cannot_be_told(tmp_path):
    (tmp_path / "old.json").write_text("{}", encoding="utf-8")
    outcome = CliRunner().invoke(overhead, ["compare", str(tmp_path / "old.json"), str(tmp_path / "old.json")])
    assert outcome.exit_code == UNKNOWN
    assert "not a result file" in outcome.stderr


def test_nothing_below_the_noise_of_either_run_is_told():
    noisy = {"wsgi_core": 20.0, "wsgi_core again": 24.0, "raw callable": 10.0}
    slower = {"wsgi_core": 22.5, "wsgi_core again": 22.5, "raw callable": 10.0}
    old, new = (results(experiment("null", costs, noise=0.0005, count=10)) for costs in (noisy, slower))
    (change,) = compare(old, new, 0.05).changes
    assert change.verdict == "same"
    assert change.threshold == pytest.approx(0.2, abs=0.01)


def test_files_of_different_machines_are_compared_by_yardsticks_if_asked_to():
    new = file(machine=1.5, environment={**ENVIRONMENT, "cpu": "another"})
    assert compare(file(), new, 0.05, elsewhere=True).code == SAME


def test_the_published_results_may_be_the_older_ones(tmp_path, monkeypatch):
    file().write(tmp_path / "published.json")
    file(1.3, seed=2, environment={**ENVIRONMENT, "cpu": "another"}).write(tmp_path / "new.json")
    monkeypatch.setattr(comparison, "PUBLISHED", tmp_path / "published.json")
    outcome = CliRunner().invoke(overhead, ["compare", "published", str(tmp_path / "new.json")])
    assert outcome.exit_code == SLOWER, outcome.output
