"""The validation of the instrument, with samples whose true values are known. The tests check no times."""

import io
import random
from pathlib import Path

import numpy as np
import pytest

from loadtests import validate
from loadtests.cli import overhead
from loadtests.instrument.driver import resolve
from loadtests.instrument.inprocess import Workers
from loadtests.instrument.results import Process, ResultError, Run
from loadtests.load import served
from loadtests.report import validation_page
from loadtests.rungs.work import driver_app
from loadtests.validate import DELAYS, NO_HOOK, RUNS, SINGLE, Same, Validating, delay_name, runs_name
from tests.loadtests.jobs import bench
from tests.loadtests.synthetic import experiment, processes
from tests.runner import CliRunner

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "measure" / "results" / "validation.json"


def noisy_process(seed, cost, shift=0.0, rounds=20):
    """Return a process with two contenders that cost ``cost`` and ``cost`` + ``shift`` µs, both with noise."""
    rng = random.Random(seed)
    blocks = []
    for place in range(rounds):
        values = [1.0, cost + rng.gauss(0, 1), cost + shift + rng.gauss(0, 1)]
        blocks += [(place, contender, 1000, round(v * 1e6), round(v * 1e6)) for contender, v in enumerate(values)]
    return Process(hash_seed=seed, clock="cpu", clock_step_ns=100, blocks=blocks)


def test_a_difference_is_judged_with_its_interval():
    same = validate.judge("Flask", [noisy_process(seed, 50.0) for seed in range(8)], 1)
    other = validate.judge("Flask", [noisy_process(seed, 50.0, 5.0) for seed in range(8)], 1)
    assert not same.differs
    assert other.differs
    assert other.low < 5.0 < other.high
    assert other.cost == pytest.approx(50.0, abs=1.0)


def test_the_naive_test_takes_what_a_process_shares_for_a_difference():
    rng = np.random.default_rng(1)
    tables = []
    for _ in range(8):
        a, b = rng.normal(50, 1, 2)
        tables.append(np.column_stack([np.ones(50), rng.normal(a, 0.1, 50), rng.normal(b, 0.1, 50)]))
    assert validate.naive_differs(tables)


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 0.0188), (10, 0.0274, 0.0896)])
def test_wilsons_interval_of_a_share(count, low, high):
    found = validate.wilson_estimate([True] * count + [False] * (200 - count))
    assert found == pytest.approx((count / 200, low, high), abs=2e-4)


def delays(off=0.0, noise=0.0):
    costs = {NO_HOOK: 60.0, **{delay_name(delay): 62.0 + delay * (1 + off) for delay in DELAYS}}
    return experiment("delays", costs, reference=NO_HOOK, noise=noise)


def test_an_injected_delay_is_recovered_against_the_empty_hook():
    found = validate.recovered(delays())
    assert {delay: round(value.value, 3) for delay, value in found.items()} == {2: 2.0, 5: 5.0, 10: 10.0, 50: 50.0}
    assert validate.price(delays(), delay_name(0), NO_HOOK).value == pytest.approx(2.0)
    assert validate.slope(delays(0.1)).value == pytest.approx(1.1)


def further_runs(off=0.0, noise=0.0):
    costs = {SINGLE: 5.0, **{runs_name(runs): 8.0 + 5.0 * runs * (1 + off) for runs in RUNS}}
    return experiment("runs", costs, reference=SINGLE, noise=noise)


def test_the_length_of_further_runs_is_known_from_a_single_run():
    found = validate.measured_runs(further_runs(0.1))
    assert [round(one.known.value, 3) for one in found.values()] == [5.0, 10.0, 20.0, 45.0]
    assert [round(one.measured.value, 3) for one in found.values()] == [5.5, 11.0, 22.0, 49.5]
    assert found[4].off.value == pytest.approx(2.0)
    assert validate.runs_slope(further_runs(0.1)).value == pytest.approx(1.1)


def steps(off=0.0):
    one = experiment("a → b", {"a": 10.0, "b": 30.0}, noise=0.001)
    two = experiment("b → c", {"b": 30.0, "c": 70.0}, noise=0.001, seed=2)
    whole = experiment(validate.WHOLE, {"a": 10.0, "c": 70.0 + off}, noise=0.001, seed=3)
    return [one, two, whole]


def test_the_sum_of_the_steps_is_held_against_the_whole():
    total, whole, between = validate.sum_of_steps(steps())
    assert (total.value, whole.value) == pytest.approx((60, 60), abs=0.3)
    assert not between.excludes(0)
    assert validate.sum_of_steps(steps(20.0))[2].excludes(0)


def runs(cpu_us, generator=0.1):
    return [
        Run(service=name, pair=pair, position=0, seconds=1.0, requests=1000, failures=0,
            server_cpu_seconds=us / 1000 + pair / 1e5, generator_cpu_seconds=generator, latencies_ms={},
            latency_mean_ms=4.0)
        for pair in range(4)
        for name, us in cpu_us.items()
    ]  # fmt: skip


@pytest.fixture
def found(tmp_path):
    """A validation in which every claim is reached."""
    one = Validating(tmp_path).found
    one.same = [
        Same(subject="Flask", cost=60.0, value=0.1, low=-1.0, high=1.0, naive_differs=n % 3 == 0) for n in range(200)
    ]
    one.delays, one.bare_delays, one.runs, one.steps = delays(), delays(), further_runs(), steps()
    costs = dict(zip(validate.SERVED_NAMES, (5.0, 10.0, 60.0), strict=True))
    one.hot = experiment("hot", costs)
    one.cold = experiment("cold", {name: cost * 2 for name, cost in costs.items()})
    one.served_rate.runs = runs({name: cost + 200 for name, cost in costs.items()})
    one.served_saturation.runs = one.served_rate.runs
    one.partial = False
    return one


def verdicts(found):
    return [check.verdict for check in validation_page.checks(found)]


def test_claims_that_hold_are_reached(found):
    assert verdicts(found) == ["reached"] * 11


def test_claims_that_do_not_hold_are_missed(found):
    for same in found.same[:30]:
        same.low = 0.05
    found.delays, found.bare_delays, found.runs, found.steps = delays(0.3), delays(0.2), further_runs(0.2), steps(20.0)
    found.served_rate.runs = runs(dict.fromkeys(validate.SERVED_NAMES, 200), generator=0.9)
    for run in found.served_saturation.runs:
        run.latency_mean_ms = 8.0
    assert verdicts(found) == ["missed"] * 11


def test_what_the_interval_does_not_carry_stays_open(found):
    found.same = found.same[:20]
    found.delays = found.bare_delays = delays(noise=0.05)
    found.runs = further_runs(noise=0.2)
    assert verdicts(found)[:7] == ["open"] * 7


def test_the_page_tells_all_of_it(found):
    text = validation_page.render(found)
    for words in ("# The instrument, tested", "0.0% (0.0% to 1.9%)", "| 5 µs | 5.00 | 5.00 to 5.00 | 5.00 |",
                  "| 9 | 45.0 | 45.0 | 45.0 to 45.0 | +0.00", "| the whole: a → c |", "The hook itself costs 2.00",
                  "110 (110 to 110) µs with cold caches", "| Flask | 60.0 | 120 | 260 | 200 |"):  # fmt: skip
        assert words in text, words
    assert "costs more than it lasts" not in text


def test_a_pause_that_costs_more_than_it_lasts_is_explained(found):
    found.bare_delays = delays(0.1)
    text = validation_page.render(found)
    assert "Further runs cost what they last: the instrument measures a delay of known length correctly." in text
    found.runs = further_runs(0.1)
    text = validation_page.render(found)
    assert "A pause costs more than it lasts." in text
    assert "Further runs cost what they last" not in text


def test_parts_that_are_missing_are_left_out(tmp_path):
    empty = Validating(tmp_path).found
    text = validation_page.render(empty)
    assert "interrupted" in text
    assert "##" not in text
    assert validation_page.checks(empty) == []


# What is measured


def test_the_plan_fits_into_15_minutes_and_has_200_comparisons(tmp_path):
    whole = Validating(tmp_path)
    assert whole.plan.seconds <= 15 * 60
    assert validate.SETS * len(validate.SUBJECTS) == 200
    assert validate.AA_PACE.processes >= 8


def test_each_step_of_the_ladder_is_measured_alone():
    *found, whole = validate.step_experiments()
    assert [one.contenders[0].name for one in found[1:]] == [one.contenders[1].name for one in found[:-1]]
    assert (whole.contenders[0], whole.contenders[1]) == (found[0].contenders[0], found[-1].contenders[1])


@pytest.mark.parametrize("bare", [False, True])
def test_a_delayed_app_answers_as_the_others_do(bare):
    assert len(bench(validate.delay_experiment(bare), 1).timed) == len(DELAYS) + 2


def test_an_app_with_further_runs_answers_as_the_others_do():
    assert len(bench(validate.runs_experiment(), 1).timed) == len(RUNS) + 2


@pytest.mark.parametrize("runs", [0, 2])
def test_each_further_run_gets_a_stream_of_its_own(runs, monkeypatch):
    seen = []

    def create_app(model):
        def app(environ, start_response):
            seen.append(environ["wsgi.input"].read())
            return driver_app("200 OK")(environ, start_response)

        return app

    monkeypatch.setattr("loadtests.rungs.delayed.create_bare_app", create_app)
    app = resolve("loadtests.rungs.delayed:create_repeated")(runs=runs, calls=3)
    started = []
    environ = {"wsgi.input": io.BytesIO(b"body"), "CONTENT_LENGTH": "4"}
    assert list(app(environ, lambda *line: started.append(line))) == []
    assert seen == [b"body"] * (runs + 1)
    assert len(started) == 3 + 1


@pytest.mark.parametrize("delay", [None, 0, 50])
def test_only_a_delay_adds_a_hook(delay):
    app = resolve("loadtests.rungs.delayed:create_app")(microseconds=delay)
    assert bool(app.before_request_funcs) is (delay is not None)


@pytest.fixture
def measured(monkeypatch):
    """Replace measurements with synthetic samples, and interrupt the run at the tenth."""
    counted = []

    def measure(self, wanted, pace, seed):
        counted.append(seed)
        if len(counted) == 10:
            raise KeyboardInterrupt
        return {
            one.key: Process.model_validate(
                processes([1.0 + contender for contender in range(len(one.contenders) + 1)], count=1)[0]
            )
            for one in wanted
        }

    class Pair:
        def __init__(self, load, entries, *others):
            self.entries = entries

        def measure(self, number):
            names = self.entries.rate.services
            self.entries.rate.runs += runs(dict.fromkeys(names, 100.0))[: len(names)]
            self.entries.saturation.runs += runs(dict.fromkeys(names, 100.0))[: len(names)]

    monkeypatch.setattr(Workers, "measure", measure)
    monkeypatch.setattr(served, "Pair", Pair)
    monkeypatch.setattr(validate, "QUICK_SCALE", 0.04)
    return counted


def test_an_interrupted_validation_is_kept_and_resumed(measured, tmp_path):
    first = CliRunner().invoke(overhead, ["--validate", "--quick", "--out", str(tmp_path)])
    assert first.exit_code == 130
    assert "interrupted" in (tmp_path / "VALIDATION.md").read_text(encoding="utf-8")
    before = validate.Validation.read(tmp_path / "validation.json")
    assert before.partial
    second = CliRunner().invoke(overhead, ["--validate", "--quick", "--resume", "--out", str(tmp_path)])
    assert second.exit_code == 0, second.output
    after = validate.Validation.read(tmp_path / "validation.json")
    assert not after.partial
    assert len(after.same) == 2 * len(validate.SUBJECTS)
    assert "Written" in second.output


def test_the_page_is_written_from_the_file(found, tmp_path):
    found.write(tmp_path / "validation.json")
    target = tmp_path / "docs" / "VALIDATION.md"
    outcome = CliRunner().invoke(overhead, ["validation", str(tmp_path / "validation.json"), "--page", str(target)])
    assert outcome.exit_code == 0, outcome.output
    assert target.read_text(encoding="utf-8") == validation_page.render(found)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "v.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ResultError, match="not a result file of this version"):
        validate.Validation.read(tmp_path / "v.json")
    outcome = CliRunner().invoke(overhead, ["--validate", "--resume", "--out", str(tmp_path / "none")])
    assert outcome.exit_code == 1
    assert "nothing to resume" in outcome.output


@pytest.mark.skipif(not FILE.exists(), reason="no validation is published here")
@pytest.mark.usefixtures("all_draws")
def test_the_published_page_is_that_of_the_published_validation():
    page = (ROOT / "loadtests" / "VALIDATION.md").read_text(encoding="utf-8")
    assert page == validation_page.render(validate.Validation.read(FILE))
