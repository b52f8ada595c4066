"""Both frameworks perform the phases of a request, and the page has their costs. The tests check no times."""

import gc
import random
import re
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest

from loadtests.cases import requests_for
from loadtests.cli import overhead
from loadtests.instrument.driver import ask, freeze_heap, resolve
from loadtests.instrument.request import EnvironMaker
from loadtests.instrument.results import Results
from loadtests.report import analysis, tables, where
from loadtests.rungs import phases
from loadtests.rungs.phases import PHASES
from loadtests.studies import CASES, LIBRARY, WHERE
from tests.loadtests.jobs import bench
from tests.runner import CliRunner

DOCS = Path(__file__).parents[3] / "docs"
FILE = DOCS / "measure" / "results" / "core.json"
ROW = {
    "tenure_months": 12, "monthly_charges": 79.5, "total_charges": 954, "contract_month_to_month": 1, "has_fiber": 1
}  # fmt: skip
FRAMEWORKS = ("loadtests.rungs.core:create_app", "loadtests.rungs.flask_app:create_app")
METHODS = ("request_context", "preprocess_request", "dispatch_request", "make_response", "process_response")


class Watched:
    """A wrapper of an application that records which of its methods are called."""

    def __init__(self, app):
        self.app, self.called = app, []

    def __getattr__(self, name):
        self.called.append(name)
        return getattr(self.app, name)

    def __call__(self, environ, start_response):
        self.called.append("wsgi_app")
        return self.app(environ, start_response)


(PREDICT,) = requests_for("predict", [ROW])


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("count", range(1, len(PHASES) + 1))
def test_each_prefix_carries_out_one_phase_more(framework, count, monkeypatch):
    watched = Watched(resolve(framework)(hooks=True))
    monkeypatch.setattr(phases, "resolve", lambda factory: lambda hooks: watched)
    app = phases.create_app(framework, count)
    assert ask(app, PREDICT) == ("200 OK", [], b"")
    called = ["wsgi_app"] if count == phases.WHOLE else list(METHODS[: max(1, min(count - 1, 5))])
    assert watched.called == called


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("count", range(1, len(PHASES) + 1))
def test_no_prefix_leaves_a_context_or_a_circle_behind(framework, count):
    import flask

    import wsgi_core

    environ, _ = EnvironMaker([PREDICT]).make()
    for _chunk in phases.create_app(framework, count)(environ, lambda status, headers, exc_info=None: None):
        pass
    assert not flask.has_request_context()
    assert not wsgi_core.has_request_context()
    assert environ["werkzeug.request"] is None


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_status_of_an_answer_that_went_wrong_is_seen(framework):
    (missing,) = requests_for("not_found", [])
    assert ask(phases.create_app(framework, phases.WHOLE), missing).status == "404 NOT FOUND"


def test_the_phases_are_measured_in_the_rounds_of_one_experiment():
    found = bench(replace(WHERE, requests=(PREDICT,)))
    # As in a worker. Otherwise, each collection before a block would visit all objects of the tests.
    freeze_heap()
    try:
        found.calibrate(200_000, 0.0)
        blocks = found.rounds(0.01, random.Random(1), lambda: None)
    finally:
        gc.unfreeze()
        gc.freeze()  # the modules and tests, as before
    assert {contender for _, contender, *_ in blocks} == set(range(2 * len(PHASES) + 1))


def test_a_library_alone_gives_the_same_bytes_as_the_frameworks():
    for case in (one for one in CASES if one.contenders[0].name == LIBRARY):
        bench(replace(case, requests=requests_for(case.case, [])))


def test_the_library_alone_checks_the_signature_too():
    library = resolve("loadtests.rungs.library:create_session_app")()
    (request,) = requests_for("session", [])
    *headers, (name, cookie) = request.headers
    with pytest.raises(Exception, match="Signature"):
        ask(library, replace(request, headers=(*headers, (name, cookie + "x"))))


# The page


def experiment(one, costs):
    """Return the result of ``one`` with known costs in µs, first the driver's."""
    blocks = [
        (number, contender, 100, round(cost * 100_000), round(cost * 100_000))
        for number in range(6)
        for contender, cost in enumerate(costs)
    ]
    return {
        "key": one.key,
        "title": one.title,
        "contenders": [each.name for each in one.contenders],
        "reference": one.reference,
        "ladder": one.ladder,
        "processes": [{"hash_seed": n, "clock": "cpu", "clock_step_ns": 100, "blocks": blocks} for n in range(4)],
    }


def imports():
    sizes = {"nothing": 10.0, "werkzeug": 60.0, "wsgi_core": 110.0, "flask": 210.0}
    return [
        {"module": module, "round": n, "wall_ms": size, "cpu_ms": size, "memory_kb": size * 1024}
        for n in range(3)
        for module, size in sizes.items()
    ]


@pytest.fixture
def made_up():
    """Results in which the driver costs 1 µs, Flask's phases 1, 2, ... 8 µs, and each of the core's phases 0.5 µs."""
    flask = [1.0 + sum(range(1, count + 2)) for count in range(len(PHASES))]
    core = [1.0 + (count + 1) / 2 for count in range(len(PHASES))]
    body = next(case for case in CASES if case.key == "body_64k")
    about = {"study": "core", "title": "t", "quick": True, "partial": False, "started": "2026-01-01T00:00:00+00:00"}
    machine = {"cpu": "a CPU", "threads": 2, "usable_threads": 2, "python": "CPython 3.11 (GCC)"}
    rest = {"planned_seconds": 1.0, "command": "c", "rows": "real", "environment": machine, "imports": imports()}
    experiments = [experiment(WHERE, [1.0, *flask, *core]), experiment(body, [1.0, 81.0, 101.0, 161.0])]
    return Results.model_validate({**about, **rest, "experiments": experiments})


def test_a_phase_costs_what_its_prefix_costs_more(made_up):
    *found, whole = analysis.summarise(made_up).phases
    assert [one.name for one in found] == list(PHASES)
    assert [one.flask.value for one in found] == pytest.approx(list(range(1, 9)))
    assert [one.core.value for one in found] == pytest.approx([0.5] * 8)
    assert (whole.flask.value, whole.core.value) == pytest.approx((36.0, 4.0))


def test_the_tables_show_the_phases_once(made_up):
    titles = [table.title for table in tables.of(made_up, analysis.summarise(made_up))]
    assert titles.count(WHERE.title) == 1


def words(page):
    """Return each phase with what the page says about it, for Flask and for the core."""
    return re.findall(r"^\*\*(.+?)\.\*\* \*Flask:\*\s(.+?)\s\*The\score:\*\s(.+?)\n\n", page, re.M | re.S)


def test_the_page_holds_every_phase_with_both_costs_and_words(made_up):
    page = where.render(made_up)
    for number, phase in enumerate(PHASES, start=1):
        cost = f"{number}.00 ({number}.00 to {number}.00)"
        assert f"| {phase} | {cost} | 0.500 (0.500 to 0.500) |" in page
    assert [phase for phase, _, _ in words(page)] == list(PHASES)
    assert f"]({where.PICTURE})" in page
    assert "on a CPU, 2 threads" in page


def test_the_page_says_which_part_is_a_librarys(made_up):
    page = " ".join(where.render(made_up).split())
    assert "80% (80% to 80%) of what the core's request costs, 50% (50% to 50%) of what Flask's does" in page
    assert "`import werkzeug` alone takes 50% (50% to 50%) of the time" in page


def test_the_page_holds_the_goals_with_their_verdicts(made_up):
    page = where.render(made_up)
    assert re.search(r"\| A JSON body of 64 KB: ÷ Flask \| 0\.625 \| .* \| ≤ 0\.35 \| missed \|", page)


def test_the_names_in_the_words_exist(made_up):
    import flask
    import werkzeug.routing
    import werkzeug.wrappers
    import werkzeug.wsgi

    homes = (
        flask.Flask, flask.Request, flask.json.provider.json, flask, werkzeug.routing, werkzeug.routing.Map,
        werkzeug.wrappers.Response, werkzeug.wsgi, flask.app,
    )  # fmt: skip
    said = " ".join(text for _, *both in words(where.render(made_up)) for text in both)
    for name in re.findall(r"`([A-Za-z_.]+)`", said):
        last = name.rpartition(".")[2]
        known = any(hasattr(home, last) for home in homes) or last in ("None", "async", "close")
        assert known, name


def test_the_command_writes_the_page(made_up, tmp_path):
    made_up.write(tmp_path / "results.json")
    target = tmp_path / "docs" / "where.md"
    outcome = CliRunner().invoke(overhead, ["where", str(tmp_path / "results.json"), "--page", str(target)])
    assert outcome.exit_code == 0, outcome.output
    assert target.read_text(encoding="utf-8").startswith("# Where the time goes\n")
    svg = target.with_name(where.PICTURE).read_text(encoding="utf-8")
    assert all(f"{phase}: Flask" in svg for phase in map(escape, PHASES))


def test_results_without_phases_are_refused_in_one_line(made_up, tmp_path):
    made_up.experiments = made_up.experiments[1:]
    made_up.write(tmp_path / "results.json")
    target = tmp_path / "never-written.md"
    outcome = CliRunner().invoke(overhead, ["where", str(tmp_path / "results.json"), "--page", str(target)])
    assert outcome.exit_code == 1
    assert "no phases" in outcome.output
    assert not target.exists()


@pytest.mark.skipif(not FILE.exists(), reason="no results are published here")
@pytest.mark.usefixtures("all_draws")
def test_the_published_page_is_that_of_the_published_results():
    found = Results.read(FILE)
    assert (DOCS / "where-the-time-goes.md").read_text(encoding="utf-8") == where.render(found)
    assert (DOCS / where.PICTURE).read_text(encoding="utf-8") == where.pictures(found)[where.PICTURE]
