"""The command from end to end, with a run too short to mean anything: nothing here looks at a time."""

import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from rich.console import Console

from loadtests import run, studies
from loadtests.cases import requests_for
from loadtests.cli import overhead
from loadtests.instrument import inprocess, progress
from loadtests.instrument.experiment import Contender, Experiment
from loadtests.instrument.results import LatencyResult, LoadResult, ResultError, Results
from loadtests.load import served
from loadtests.report import analysis, claims, page, readme, tables
from tests.loadtests.conftest import SMALL, TINY
from tests.runner import CliRunner

LADDER = [
    "raw callable",
    "+ Werkzeug's Request",
    "+ Response",
    "+ routing",
    "+ contexts",
    "+ hooks and error handling",
    "wsgi_core",
    "wsgi_core again",
    "Flask",
]


SHORT = ["raw callable", "Werkzeug objects", "wsgi_core", "wsgi_core again", "Flask"]


def test_the_run_ends_well_and_says_what_it_takes(tiny_run):
    outcome, _ = tiny_run
    assert outcome.exit_code == 0, outcome.output
    assert re.match(r".*: about \d+ (s|min)\.", outcome.output)


def test_a_pipe_gets_no_colours_and_no_bar(tiny_run):
    outcome, _ = tiny_run
    assert "\x1b" not in outcome.output
    assert "[1/" in outcome.output


def test_the_tables_name_every_rung(tiny_run):
    outcome, _ = tiny_run
    for name in (*LADDER[:-2], "Flask", "requests/s", "from the intended start", "closed loop (Locust)"):
        assert name in outcome.output


def test_the_result_file_holds_every_raw_sample(tiny_run):
    results = Results.read(tiny_run[1] / "results.json")
    assert not results.partial
    assert [one.key for one in results.experiments] == ["null", "churn", "hooks"]
    assert results.experiments[0].contenders == LADDER
    for one in results.experiments:
        assert len(one.processes) == TINY.pace.processes
        assert len({process.hash_seed for process in one.processes}) == TINY.pace.processes
        for process in one.processes:
            assert {block.contender for block in process.blocks} == set(range(len(one.contenders) + 1))


def test_the_result_file_holds_the_served_runs(tiny_run):
    rate, saturation = Results.read(tiny_run[1] / "results.json").loads
    assert (rate.key, rate.mode, saturation.key, saturation.mode) == ("services_rate", "rate", "services", "saturation")
    assert rate.rate > 0
    for load in (rate, saturation):
        assert [served_run.service for served_run in load.runs] == ["wsgi_core", "Flask"]
        for served_run in load.runs:
            assert served_run.requests > 0
            assert served_run.failures == 0
            assert served_run.server_cpu_seconds >= 0
            assert served_run.in_flight > 0
            assert {"p50", "p95", "p99"} <= served_run.latencies_ms.keys()


def test_latencies_are_counted_in_an_open_loop_and_in_locusts_closed_one(tiny_run):
    (latency,) = Results.read(tiny_run[1] / "results.json").latencies
    assert len(latency.rates) == len(latency.shares) == 1
    kinds = {(found.service, found.generator) for found in latency.runs}
    assert kinds == {(service, kind) for service in ("wsgi_core", "Flask") for kind in ("open loop", "locust")}
    for found in latency.runs:
        assert found.rate == latency.rates[0]
        assert ("p99" in found.lag_ms) is (found.generator == "open loop")


def test_the_result_file_says_what_it_was_measured_on(tiny_run):
    document = json.loads((tiny_run[1] / "results.json").read_text(encoding="utf-8"))
    environment = document["environment"]
    assert {"cpu", "governor", "load_average", "python", "versions", "revision"} <= environment.keys()
    assert environment["versions"]["flask"]
    assert document["rows"]
    assert document["format"] == 2


def test_the_page_is_whole_and_loads_nothing(tiny_run):
    text = (tiny_run[1] / "index.html").read_text(encoding="utf-8")
    assert text.count("<svg") == text.count("</svg>") >= 3
    assert "<script" not in text
    assert not re.findall(r'src=|<link|href="(?!results\.json|#|" attr|https://)', text)
    assert "prefers-color-scheme: dark" in text
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(svg)


def test_the_report_can_be_made_again(tiny_run):
    _, out = tiny_run
    before = (out / "index.html").read_text(encoding="utf-8")
    again = CliRunner().invoke(overhead, ["report", str(out / "results.json")])
    assert again.exit_code == 0
    assert (out / "index.html").read_text(encoding="utf-8") == before


def test_the_readme_gets_its_figures_between_the_markers(tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "README.md"
    target.write_text(f"above\n\n{readme.BEGIN}\nold\n{readme.END}\n\nbelow\n", encoding="utf-8")
    for _ in range(2):
        outcome = CliRunner().invoke(overhead, ["readme", str(tiny_run[1] / "results.json")])
        assert outcome.exit_code == 0, outcome.output
    text = target.read_text(encoding="utf-8")
    assert text.startswith("above\n")
    assert text.endswith("\nbelow\n")
    assert "old" not in text
    assert "| wsgi_core |" in text
    assert text.count("![") == 1
    ElementTree.parse(tmp_path / "docs" / "overhead.svg")


def test_a_readme_without_markers_is_left_alone(tiny_run, tmp_path):
    target = tmp_path / "README.md"
    target.write_text("nothing here\n", encoding="utf-8")
    outcome = CliRunner().invoke(overhead, ["readme", str(tiny_run[1] / "results.json"), "--readme", str(target)])
    assert outcome.exit_code == 1
    assert "holds no place for the figures" in outcome.output
    assert target.read_text(encoding="utf-8") == "nothing here\n"


def test_a_file_that_is_no_result_file_is_refused_in_one_line(tmp_path):
    target = tmp_path / "results.json"
    target.write_text('{"format": 1}', encoding="utf-8")
    with pytest.raises(ResultError, match="not a result file of this version"):
        Results.read(target)
    outcome = CliRunner().invoke(overhead, ["report", str(target)])
    assert outcome.exit_code == 1
    assert "Traceback" not in outcome.output


# What goes wrong


def invoke(monkeypatch, out, study, **patches):
    monkeypatch.setattr(run, "budget_of", lambda study, quick: TINY)
    monkeypatch.setitem(studies.STUDIES, "service", study)
    return CliRunner().invoke(overhead, ["--out", str(out)])


def with_experiment(*contenders):
    one = Experiment("odd", "Odd", "predict", contenders, reference=contenders[-1].name)
    return studies.Study("service", "Odd", (one,), ())


def test_rungs_that_differ_end_the_run_before_any_timing(monkeypatch, tmp_path):
    null, churn = (Contender(m, "loadtests.rungs.raw:create_app", {"model": m}) for m in ("null", "churn"))
    outcome = invoke(monkeypatch, tmp_path, with_experiment(null, churn))
    assert outcome.exit_code == 4
    assert "do not give the same bytes" in outcome.stderr
    assert not (tmp_path / "results.json").exists()


def test_a_rung_that_cannot_be_made_ends_the_run(monkeypatch, tmp_path):
    odd = Contender("odd", "loadtests.rungs.raw:no_such_name")
    outcome = invoke(monkeypatch, tmp_path, with_experiment(odd, odd))
    assert outcome.exit_code == 5
    assert "no_such_name" in outcome.stderr


def test_a_model_that_cannot_be_loaded_is_one_line_and_exit_code_3():
    said = "Traceback (most recent call last):\n  ...\nwsgi_core.inference.errors.ModelError: no file: /models/churn"
    failed = inprocess.failed(said)
    assert (str(failed), failed.code) == ("Error: no file: /models/churn", 3)
    other = inprocess.failed("Traceback (most recent call last):\nValueError: no")
    assert other.code == 5
    assert "ValueError" in str(other)


def test_a_server_that_does_not_start_is_named():
    service = studies.Service("odd", ("-c", "raise SystemExit(1)"))
    with pytest.raises(inprocess.RunFailed, match="odd: the server does not start"), served.serving([service]):
        pass


def test_servers_that_answer_differently_end_the_run():
    services = tuple(studies.served_rung(model, "raw", model=model) for model in ("null", "churn"))
    row = {
        "tenure_months": 12,
        "monthly_charges": 79.5,
        "total_charges": 954,
        "contract_month_to_month": 1,
        "has_fiber": 1,
    }
    with served.serving(services) as servers, pytest.raises(inprocess.Mismatch, match="do not give the same bytes"):
        served.check(servers, studies.Load("k", "t", "closed loop", services, requests=requests_for("predict", [row])))


def test_an_interrupted_run_keeps_what_it_has(monkeypatch, tmp_path):
    measured = iter([None])
    measure = inprocess.Workers.measure

    def interrupted(*arguments):
        if next(measured, "over") == "over":
            raise KeyboardInterrupt
        return measure(*arguments)

    monkeypatch.setattr(inprocess.Workers, "measure", interrupted)
    monkeypatch.setattr(run, "budget_of", lambda study, quick: TINY)
    monkeypatch.setitem(studies.STUDIES, "service", replace(SMALL, experiments=(studies.NULL,), loads=()))
    outcome = CliRunner().invoke(overhead, ["--out", str(tmp_path)])
    assert outcome.exit_code == 130
    results = Results.read(tmp_path / "results.json")
    assert results.partial
    assert len(results.experiments[0].processes) == 1
    assert "partial: the run was interrupted" in outcome.output
    assert (tmp_path / "index.html").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--servers", "waitress,apache"], "apache: not one of waitress, gunicorn"),
        (["--remote"], "--remote needs --workers"),
    ],
)
def test_what_cannot_be_served_is_wrong_usage(arguments, said):
    outcome = CliRunner().invoke(overhead, arguments)
    assert outcome.exit_code == 2
    assert said in outcome.stderr


@pytest.mark.parametrize(
    ("quick", "servers", "measured"),
    [
        (True, (), {"waitress"}),
        (False, (), set(studies.SERVERS).difference(studies.ON_DEMAND)),
        (True, ("gthread", "uvicorn"), {"gthread", "uvicorn"}),
        (False, ("waitress",), {"waitress"}),
    ],
)
def test_which_servers_are_measured(quick, servers, measured):
    chosen = studies.chosen(studies.STUDIES["service"], quick, servers)
    assert {load.server for load in chosen.loads} == measured
    assert all(len(load.shares) == 1 for load in chosen.loads) is (quick or servers == ("uvicorn",))


def test_gunicorn_is_left_out_on_windows_and_said_to_be(monkeypatch):
    monkeypatch.setattr(studies.sys, "platform", "win32")
    study, said = studies.runnable(studies.STUDIES["service"])
    assert {load.server for load in study.loads} == {"waitress", "werkzeug", "uvicorn"}
    assert len(said) == 2
    assert all(sentence.endswith("gunicorn does not run on Windows") for sentence in said)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr("loadtests.cli.NEEDED", ("flask", "no_such_package"))
    outcome = CliRunner().invoke(overhead, [])
    assert outcome.exit_code == 2
    assert "no_such_package" in outcome.stderr
    assert "pip install" in outcome.stderr


def test_a_run_with_one_process_is_reported_without_intervals(made_up):
    made_up.experiments[0].processes = made_up.experiments[0].processes[:1]
    summary = analysis.summarise(made_up)
    assert "no difference between Flask and wsgi_core can be claimed" in claims.sentences(made_up, summary)[0]
    assert tables.of(made_up, summary)[0].rows[0][2] == "unknown"
    assert "<svg" in page.page(made_up, summary)


def test_a_run_without_samples_is_reported_as_empty(made_up):
    made_up.experiments[0].processes = []
    assert "<table>" not in page.page(made_up, analysis.summarise(made_up))


# What is said


@pytest.fixture
def made_up():
    """Results with blocks of exactly known costs: raw 5, Werkzeug 20, wsgi_core 10, Flask 50 µs over a driver of 1."""
    return results_with([1.0, 6.0, 21.0, 11.0, 11.0, 51.0])


def results_with(costs, contenders=SHORT):
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


def test_the_drivers_cost_is_taken_off_every_rung(made_up):
    found = analysis.summarise(made_up).experiments[0]
    assert found.driver.value == pytest.approx(1.0)
    assert [cost.cost.value for cost in found.costs] == pytest.approx([5.0, 20.0, 10.0, 50.0])


def test_prices_of_the_steps_add_up_to_the_whole(made_up):
    found = analysis.summarise(made_up).experiments[0]
    steps = [cost.step.value for cost in found.costs if cost.step]
    assert sum(steps) + found.costs[0].cost.value == pytest.approx(50.0)
    assert found.whole.value == pytest.approx(45.0)


def test_ratios_are_those_of_net_costs(made_up):
    found = analysis.summarise(made_up).experiments[0]
    assert found.cost("wsgi_core").to_reference.value == pytest.approx(0.2)


def test_an_app_that_differs_from_itself_makes_the_run_noisy():
    results = results_with([1.0, 6.0, 21.0, 11.0, 12.0, 51.0])
    summary = analysis.summarise(results)
    assert summary.experiments[0].reach == pytest.approx(0.1)
    assert any("differences below 10% are not claimed" in said for said in tables.warnings(results, summary))


def test_a_difference_below_the_noise_is_not_claimed():
    results = results_with([1.0, 6.0, 21.0, 11.0, 12.0, 11.5])
    said = claims.sentences(results, analysis.summarise(results))
    assert "no difference between Flask and wsgi_core can be claimed" in said[0]


def test_a_quiet_run_is_not_noisy(made_up):
    assert not analysis.summarise(made_up).experiments[0].noisy
    assert tables.warnings(made_up, analysis.summarise(made_up)) == []


def test_no_claim_without_an_interval_that_carries_it():
    clear, vague = analysis.Estimate(5.0, 4.0, 6.0), analysis.Estimate(1.5, 0.9, 2.0)
    assert claims.claim("a", "b", clear) == "a costs 5.00 times what b does (4.00 to 6.00)"
    assert claims.claim("a", "b", vague).startswith("no difference between a and b can be claimed (0.900 to 2.00")
    assert claims.claim("a", "b", clear, floor=3.5).startswith("no difference")


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
    assert analysis.bound_by(server, generator) == verdict


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
    found = analysis.summarise_load(load_result(mode="rate", rate=500.0))
    assert [one.server_cpu_us.value for one in found.services] == pytest.approx([400, 802])
    table = tables.load_table(found)
    assert table.title == "t: CPU time at 500 requests a second"
    assert table.rows[0][1] == "400"


def test_requests_under_way_are_rate_times_latency():
    found = analysis.summarise_load(load_result())
    assert [one.in_flight for one in found.services] == pytest.approx([3.8, 3.8])
    assert "3.8 of 4" in tables.load_table(found).rows[0]


@pytest.mark.parametrize(("in_flight", "holds"), [(3.9, True), (4.3, False), (2.0, False)])
def test_littles_law_is_checked(in_flight, holds):
    one = replace(analysis.summarise_load(load_result()).services[0], in_flight=in_flight)
    assert analysis.law_holds(one, 4) is holds


def test_a_percentile_that_the_requests_do_not_carry_is_left_out():
    run_of = load_result().runs[0].model_dump()
    runs = [{**run_of, "requests": count, "generator": "open loop", "rate": 100.0} for count in (800, 1200)]
    about = {"key": "k", "title": "t", "server": "s", "services": ["wsgi_core"], "server_threads": 4, "users": 4}
    rest = {"connections": 8, "shares": [0.5], "rates": [100.0], "runs": runs}
    (found,) = analysis.summarise_latencies(LatencyResult.model_validate({**about, **rest}))
    assert list(found.latencies_ms) == ["p50", "p99"]
    assert (found.runs, found.requests) == (2, 2000)


def test_the_driver_of_another_protocol_is_taken_off_instead():
    results = results_with([1.0, 6.0, 3.0, 21.0], ["raw callable", "ASGI driver", "Starlette (ASGI)"])
    results.experiments[0].drivers = {"Starlette (ASGI)": "ASGI driver"}
    results.experiments[0].reference = "raw callable"
    found = analysis.summarise(results).experiments[0]
    assert [(cost.name, cost.cost.value) for cost in found.costs] == [
        ("raw callable", pytest.approx(5.0)),
        ("Starlette (ASGI)", pytest.approx(18.0)),
    ]


def test_every_goal_refers_to_something_that_its_study_measures():
    for study in studies.STUDIES.values():
        contenders = {one.key: {each.name for each in one.contenders} for one in study.experiments}
        contenders |= {load.key: {service.name for service in load.services} for load in study.loads}
        contenders |= {"import_wall": {"wsgi_core", "flask"}, "import_memory": {"wsgi_core", "flask"}}
        for goal in study.goals:
            assert {goal.top, goal.bottom} <= contenders[goal.experiment]


@pytest.mark.parametrize("study", studies.STUDIES.values(), ids=studies.STUDIES)
def test_the_plan_of_a_quick_run_fits_into_90_seconds(study, tmp_path):
    quick = run.Run(study, True, "c", tmp_path)
    assert quick.results.planned_seconds <= 90


def test_the_plan_of_a_full_run_fits_into_20_minutes(tmp_path):
    assert run.Run(studies.STUDIES["service"], False, "c", tmp_path).results.planned_seconds <= 20 * 60


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (89.6, "90 s"), (150, "2 min")])
def test_durations_are_given_in_seconds_or_minutes(seconds, text):
    assert progress.duration(seconds) == text


def test_steps_beyond_the_deadline_are_left_out_if_they_may_be():
    done = []
    steps = [progress.Step(str(n), 100.0, lambda n=n: done.append(n), may_be_left_out=n != 1) for n in range(4)]
    left_out = progress.run_steps(steps, Console(quiet=True), lambda: None, deadline=150.0)
    assert (done, left_out) == ([0, 1, 2, 3], 0)
    done.clear()
    assert progress.run_steps(steps, Console(quiet=True), lambda: None, deadline=50.0) == 3
    assert done == [1]


def test_the_bar_on_a_terminal_runs_every_step_and_leaves_nothing_behind():
    done = []
    console = Console(force_terminal=True, file=io.StringIO(), width=80)
    progress.run_steps([progress.Step("one", 1.0, lambda: done.append(1))], console, lambda: None)
    assert done == [1]


def test_kinds_of_steps_are_spread_over_the_run(tmp_path):
    labels = [step.label.partition(",")[0] for step in run.Run(studies.STUDIES["core"], True, "c", tmp_path).steps]
    assert labels[0] == "comparing the responses"
    assert {"in process", "served", "imports"} <= set(labels[1:8])
