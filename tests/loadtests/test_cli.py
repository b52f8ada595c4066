"""The whole command, with a run that is too short for meaningful figures. The tests check no times."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from loadtests import run, studies
from loadtests.cases import requests_for
from loadtests.cli import overhead
from loadtests.instrument import inprocess
from loadtests.instrument.experiment import Contender, Experiment
from loadtests.instrument.results import ResultError, Results
from loadtests.load import served
from loadtests.report import analysis, page, readme
from tests.loadtests.conftest import SMALL, TINY
from tests.loadtests.synthetic import measure
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
    for name in (*LADDER[:-2], "Flask", "requests/s", "from the planned start", "in a closed loop (Locust)"):
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


def test_the_report_can_be_made_again(tiny_run, all_draws):
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
    assert "does not have the markers" in outcome.output
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
    assert "responses differ" in outcome.stderr
    assert not (tmp_path / "results.json").exists()


def test_a_rung_that_cannot_be_made_ends_the_run(monkeypatch, tmp_path):
    odd = Contender("odd", "loadtests.rungs.raw:no_such_name")
    outcome = invoke(monkeypatch, tmp_path, with_experiment(odd, odd))
    assert outcome.exit_code == 5
    assert "no_such_name" in outcome.stderr


def test_a_model_that_cannot_be_loaded_is_one_line_and_exit_code_3():
    said = "Traceback (most recent call last):\n  ...\nwsgi_core.inference.errors.ModelError: no file: /models/churn"
    failed = inprocess.failed(said)
    assert (str(failed), failed.exit_code) == ("no file: /models/churn", 3)
    other = inprocess.failed("Traceback (most recent call last):\nValueError: no")
    assert other.exit_code == 5
    assert "ValueError" in str(other)


def test_a_server_that_does_not_start_is_named():
    service = studies.Service("odd", ("-c", "raise SystemExit(1)"))
    with pytest.raises(inprocess.RunFailed, match="odd: the server did not start"), served.serving([service]):
        pass


def test_servers_that_answer_differently_end_the_run():
    services = tuple(
        replace(studies.served_rung("raw callable", model=model), name=model) for model in ("null", "churn")
    )
    row = {
        "tenure_months": 12,
        "monthly_charges": 79.5,
        "total_charges": 954,
        "contract_month_to_month": 1,
        "has_fiber": 1,
    }
    with served.serving(services) as servers, pytest.raises(inprocess.Mismatch, match="responses differ"):
        served.check(servers, studies.Load("k", "t", "closed loop", services, requests=requests_for("predict", [row])))


def test_an_interrupted_run_keeps_what_it_has(monkeypatch, tmp_path):
    measured = iter([None])

    def interrupted(*arguments):
        if next(measured, "over") == "over":
            raise KeyboardInterrupt
        return measure(*arguments)

    monkeypatch.setattr(inprocess.Workers, "measure", interrupted)
    monkeypatch.setattr(inprocess.Workers, "try_out", lambda self, experiments: {})
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
        (False, (), {"waitress", "gunicorn", "gthread", "werkzeug", "uvicorn"}),
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


@pytest.mark.parametrize(
    ("servers", "measured"),
    [
        ((), {"served_null", "served_service", "served_parts", "served_peers"}),
        (("granian",), {"served_null", "served_service"}),
        (("bentoml", "uvicorn"), {"served_peers", "on_bentoml"}),
        (("waitress",), {"served_null", "served_service", "served_parts", "served_peers"}),
    ],
)
def test_a_load_on_several_servers_is_measured_if_one_of_them_is_named(servers, measured):
    assert {load.key for load in studies.chosen(studies.STUDIES["served"], False, servers).loads} == measured


def test_a_server_that_is_not_there_is_left_out_of_a_load_and_said_to_be(monkeypatch):
    monkeypatch.setattr(studies.sys, "platform", "win32")
    monkeypatch.setattr(studies, "find_spec", lambda name: None)
    study, said = studies.runnable(replace(studies.STUDIES["served"], loads=(studies.SERVED_NULL,)))
    assert [service.name for service in study.loads[0].services] == ["wsgi-core serve", "waitress"]
    title = studies.SERVED_NULL.title
    assert said == [f"{title}: granian is not installed", f"{title}: gunicorn does not run on Windows"]


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr("loadtests.cli.NEEDED", ("flask", "no_such_package"))
    outcome = CliRunner().invoke(overhead, [])
    assert outcome.exit_code == 2
    assert "no_such_package" in outcome.stderr
    assert "pip install" in outcome.stderr


def test_a_run_without_samples_is_reported_as_empty(made_up):
    made_up.experiments[0].processes = []
    assert "<table>" not in page.page(made_up, analysis.summarise(made_up))
