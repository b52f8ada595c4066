"""The curve: shares and crossings for known costs, and real requests to each model."""

import pytest

from loadtests import curve
from loadtests.curve import ALONE, FLOOR
from loadtests.instrument.driver import ask
from loadtests.instrument.request import Request
from loadtests.report import page, tutorials
from loadtests.report.analysis import Summary, summarise
from loadtests.rows import rows_of
from loadtests.rungs import pieces
from tests.loadtests.jobs import bench
from tests.loadtests.synthetic import experiment, results

MODELS = [model for model in curve.MODELS if model not in curve.OPTIONAL]


def model(name, time):
    costs = {FLOOR: 10 + time, "wsgi_core": 20 + time, "Flask": 70 + time, ALONE: time}
    return in_group(experiment(f"model {name}", costs, reference="Flask", title=name))


def in_group(one):
    one.group = curve.GROUP
    return one


@pytest.fixture
def found():
    ladder = experiment("null", {FLOOR: 10.0, "wsgi_core": 20.0, "Flask": 70.0}, ladder=True)
    pieces_of = in_group(experiment("pieces", {curve.READ_784: 100.0, curve.FRAME: 300.0}))
    return curve.summarise(results(ladder, model("slow", 930.0), model("fast", 30.0), pieces_of))


def test_points_stand_in_the_order_of_their_times(found):
    assert [point.model for point in found.points] == ["fast", "slow"]
    assert [point.time.value for point in found.points] == pytest.approx([30, 930])


def test_a_share_is_what_a_framework_adds_in_the_whole(found):
    fast, slow = found.points
    assert fast.prices["Flask"].value == pytest.approx(60)
    assert fast.shares["Flask"].value == pytest.approx(60 / 100)
    assert slow.shares["wsgi_core"].value == pytest.approx(10 / 950)


def test_the_line_goes_through_the_points(found):
    for point in found.points:
        for line in found.lines:
            assert line.share(point.time.value) == pytest.approx(point.shares[line.framework].value)


def test_crossings_are_the_models_times_at_which_the_share_is_passed(found):
    flask, core = found.line("Flask"), found.line("wsgi_core")
    assert [flask.crossing(share).value for share in curve.CROSSINGS] == pytest.approx([50, 530, 5930])
    assert core.crossing(0.5) is None
    for share in (0.1, 0.01):
        assert core.share(core.crossing(share).value) == pytest.approx(share)


def test_without_models_the_ladder_gives_two_points():
    costs = {FLOOR: 10.0, "wsgi_core": 20.0, "Flask": 70.0}
    null, churn = experiment("null", costs), experiment("churn", {name: cost + 15 for name, cost in costs.items()})
    found = curve.summarise(results(null, churn))
    assert [(point.model, point.time.value) for point in found.points] == [("null", 0.0), ("churn", pytest.approx(15))]


def test_models_alone_give_a_line_too():
    found = curve.summarise(results(model("identity", 5.0)))
    assert found.line("Flask").price.value == pytest.approx(60)
    assert found.line("Flask").rest.value == pytest.approx(10)


@pytest.mark.parametrize("given", [results(), results(experiment("null", {"a": 1.0, "b": 2.0}))])
def test_a_file_without_the_rungs_gives_no_curve(given):
    assert curve.summarise(given) is None


def test_the_tables_say_what_was_measured(found):
    shares = tutorials.share_table(found).rows
    assert shares[0][:4] == ["fast", "30.0", "60.0", "60.0% (60.0% to 60.0%)"]
    assert tutorials.crossing_table(found).rows[0][1] == "always"
    assert tutorials.crossing_table(found).rows[1][1] == "50.0 µs (50.0 µs to 50.0 µs)"
    assert ["784 floats out of JSON", "100", "100 to 100", "1.7"] in tutorials.cost_table(Summary(), found).rows


def test_a_price_that_is_lost_in_the_models_scatter_is_not_claimed():
    costs = {FLOOR: 5000.0, "wsgi_core": 5001.0, "Flask": 5002.0, ALONE: 4990.0}
    noisy = in_group(experiment("model m", costs, noise=0.1))
    ladder = experiment("null", {FLOOR: 10.0, "wsgi_core": 20.0, "Flask": 70.0})
    (row,) = tutorials.share_table(curve.summarise(results(ladder, noisy))).rows
    assert row[2].startswith("below ")


def test_what_others_write_stands_beside_what_was_found_with_its_source():
    ladder = experiment("null", {FLOOR: 10.0, "wsgi_core": 20.0, "Flask": 70.0})
    tutorial = experiment("tutorial", {"Flask": 70.0, "Flask as tutorials have it": 2070.0}, ladder=True)
    given = results(ladder, tutorial, model("churn", 30.0))
    text = " ".join(page.page(given, summarise(given)).split())
    claims = text[text.index("Published claims") :]
    assert claims.count("Measured here:") == 2
    assert "Flask adds 60.0 µs of CPU time to a bare callable" in claims
    assert "2.07 ms through scikit-learn and a DataFrame" in claims


# What is measured


def test_models_that_are_not_there_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("WSGI_CORE_CACHE", str(tmp_path))
    there, missing = curve.available()
    assert there == MODELS
    assert missing == ["minilm: not built; build it with: wsgi-core models build minilm"]


@pytest.mark.parametrize("name", MODELS)
def test_each_model_answers_its_rows_alike_on_every_rung(name):
    (experiment, _) = curve.experiments_of([name])
    found = bench(experiment, 3)
    assert {one.status for responses in found.responses.values() for one in responses} == {"200 OK"}
    answered = found.answered()
    assert all(not answered[each]["differences"] for each in ("wsgi_core", "Flask"))


@pytest.mark.parametrize("name", MODELS)
def test_rows_are_always_the_same_and_say_where_they_are_from(name):
    assert rows_of(name) == rows_of(name)
    assert rows_of(name).source


def test_the_pieces_do_their_work():
    rows = rows_of("churn").rows[:2]
    for app in (pieces.create_frame_app(rows), pieces.create_json_app(5), pieces.create_json_app(5, write=True)):
        assert ask(app, Request("GET", "/")) == ("200 OK", [], b"")
