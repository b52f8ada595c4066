"""The page about servers gives each part its own cost, names the machine, and says what was not measured."""

from pathlib import Path

import pytest

from loadtests.cli import overhead
from loadtests.instrument.results import LoadResult, Results
from loadtests.report import served
from loadtests.report.loads import summarise_load
from tests.loadtests.synthetic import experiment, results
from tests.runner import CliRunner

DOCS = Path(__file__).parents[3] / "docs" / "measure"
FILE = DOCS / "results" / "served.json"
# µs of server CPU time a request.
COSTS = {
    "null application": 100, "raw callable": 130, "bare wsgi_core": 150, "bare Flask": 230,
    "wsgi_core": 200, "Flask": 400,
}  # fmt: skip
IN_PROCESS = {"raw callable": 20.0, "wsgi_core": 30.0, "wsgi_core again": 30.0, "Flask": 120.0}


def load(key, costs, server="waitress"):
    """Three repetitions of a load at saturation, in which each service has exactly these costs."""
    runs = [
        {
            "service": name, "pair": pair, "position": place, "requests": 1000, "failures": 0, "seconds": 1.0,
            "server_cpu_seconds": cost / 1000, "generator_cpu_seconds": 0.1, "latencies_ms": {"p50": 1.0},
        }
        for pair in range(3)
        for place, (name, cost) in enumerate(costs.items())
    ]  # fmt: skip
    about = {"title": f"The load {key}", "services": list(costs), "server": server, "server_threads": 4, "users": 4}
    return LoadResult.model_validate({"key": key, "generator": "closed loop", **about, "runs": runs})


def made(*loads, **others):
    return results(
        experiment("churn", IN_PROCESS, ladder=True),
        study="served",
        loads=[load("served_parts", COSTS), *loads],
        **others,
    )


def test_each_part_costs_what_it_adds_to_the_parts_before_it():
    table = served.parts_table(summarise_load(load("served_parts", COSTS)))
    assert [row[1].partition(" ")[0] for row in table.rows] == ["100", "30.0", "20.0", "50.0", "200"]
    assert [row[2] for row in table.rows] == ["50%", "15%", "10%", "25%", "100%"]
    assert [row[3].partition(" ")[0] for row in table.rows] == ["100", "30.0", "100", "170", "400"]


def test_the_page_names_the_machine_and_says_whether_it_was_quiet():
    text = served.render(made())
    assert "The machine was quiet: an application measured against itself" in text
    assert "Measured 2026-01-01 on a CPU, 2 threads, CPython 3.11; real." in text


def test_on_a_noisy_machine_the_page_claims_nothing():
    service = load("served_service", {"wsgi-core serve": 100, "granian": 90, "waitress": 200})
    assert "## Goals" in served.render(made(service))
    environment = made().environment | {"stolen_seconds": 0.0, "revision": "1"}
    text = served.render(
        made(service, seconds=10.0, environment=environment, environment_after=environment | {"stolen_seconds": 9.0})
    )
    assert "This run has no result: the machine was too noisy." in text
    assert "times as much" not in text
    assert "## Goals" not in text


def test_what_was_skipped_is_said_and_what_was_not_measured_has_no_heading():
    null = load("served_null", {"wsgi-core serve": 100, "waitress": 150})
    text = served.render(made(null, skipped=["The load served_null: granian is not installed"]))
    assert "Note: The load served_null: granian is not installed." in text
    assert "waitress takes 1.50 times as much CPU time of the server as wsgi-core serve" in text
    assert "## Model servers" not in text
    assert "## Which framework" not in text
    beside = load("on_bentoml", {"wsgi_core": 200, "BentoML": 800}, "bentoml")
    assert "### The load on_bentoml: saturation" in served.render(made(beside)).partition("## Model servers")[2]


def test_the_command_writes_the_page_and_its_plot(tmp_path):
    made().write(tmp_path / "results.json")
    target = tmp_path / "docs" / "served.md"
    outcome = CliRunner().invoke(overhead, ["served", str(tmp_path / "results.json"), "--page", str(target)])
    assert outcome.exit_code == 0, outcome.output
    assert target.read_text(encoding="utf-8").startswith("# Behind a server\n")
    assert "null application" in target.with_name(served.PICTURE).read_text(encoding="utf-8")


def test_results_of_another_study_are_refused_in_one_line(made_up, tmp_path):
    made_up.write(tmp_path / "results.json")
    outcome = CliRunner().invoke(overhead, ["served", str(tmp_path / "results.json")])
    assert outcome.exit_code == 1
    assert "no parts behind a server" in outcome.output


@pytest.mark.usefixtures("all_draws")
def test_the_published_page_is_that_of_the_published_results():
    found = Results.read(FILE)
    assert (DOCS / "served.md").read_text(encoding="utf-8") == served.render(found)
    assert (DOCS / served.PICTURE).read_text(encoding="utf-8") == served.pictures(found)[served.PICTURE]
