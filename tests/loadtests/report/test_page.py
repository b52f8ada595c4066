"""The report: every part only where it was measured, and nothing claimed that the run does not carry."""

import re
from xml.etree import ElementTree

import pytest

from loadtests import curve, validate
from loadtests.instrument.stats import Estimate
from loadtests.report import answer, charts, noise, page, readme
from loadtests.report.analysis import LatencySummary, summarise
from loadtests.report.canvas import COLOURS
from tests.loadtests.synthetic import ENVIRONMENT, experiment, results

COSTS = {
    "raw callable": 5.0, "+ Werkzeug's Request": 15.0, "+ Response": 25.0, "wsgi_core": 15.0, "wsgi_core again": 15.0,
    "Flask": 65.0,
}  # fmt: skip


def ladder(**options):
    return experiment("null", COSTS, ladder=True, title="The null model", **options)


@pytest.fixture
def found():
    return results(ladder(), experiment("peers", {**COSTS, "Bottle": 20.0}, title="Peers", reference="Flask"))


def render(given, proof=None):
    return page.render(given, summarise(given), proof)


def test_the_answer_stands_first(found):
    text = render(found)
    said = re.search(r'<p class="answer">(.*?)</p>', text)[1]
    assert said.startswith("Flask costs 60.0 µs of CPU time a request more than a raw callable (60.0 to 60.0)")
    assert "wsgi_core 10.0 µs" in said
    assert "half of the request beside a model of 55.0 µs" in said
    assert "(1 %) from 5.93 ms on" in said


def test_the_sections_are_linked_and_there(found):
    text = render(found)
    links = re.findall(r'<a href="#(\w+)"', text)
    assert links[:3] == ["ladder", "matter", "peers"]
    assert all(f'id="{link}"' in text for link in links)


def test_each_table_stands_once(found):
    text = render(found)
    assert text.count("<h3>The null model</h3>") == text.count("<h3>Peers</h3>") == 1


def test_the_machine_that_was_quiet_is_said_to_be(found):
    assert noise.judge(found, summarise(found)).verdict == noise.QUIET
    assert "The machine was quiet" in render(found)


def test_a_machine_that_is_too_noisy_leads_to_no_claim():
    given = results(experiment("null", {**COSTS, "wsgi_core again": 20.0}, ladder=True))
    assert noise.judge(given, summarise(given)).hopeless
    said = answer.findings(given, summarise(given), curve.summarise(given))
    assert len(said) == 1
    assert said[0].startswith("The machine was too noisy, so no difference is claimed: an app measured against itself")
    assert "more than" not in re.search(r'<p class="answer">(.*?)</p>', render(given))[1]


def test_time_that_the_host_took_is_part_of_the_verdict(found):
    found.seconds = 100.0
    found.environment = {**ENVIRONMENT, "revision": "r", "stolen_seconds": 1.0}
    found.environment_after = {"revision": "r", "stolen_seconds": 9.0}
    verdict = noise.judge(found, summarise(found))
    assert verdict.hopeless
    assert "the host took 8% of the time away" in verdict.sentence


def test_the_validation_is_shown_if_it_is_there(found, tmp_path):
    assert page.NO_PROOF in render(found)
    proof = validate.Validating(tmp_path).found
    proof.same = [validate.Same(subject="s", cost=1, value=0, low=-1, high=1, naive_differs=False) for _ in range(200)]
    text = render(found, proof)
    assert page.NO_PROOF not in text
    assert "in 200 comparisons of an app with itself" in text
    assert 'href="VALIDATION.md"' in text


@pytest.mark.parametrize("given", [results(), results(experiment("odd", {"a": 1.0, "b": 2.0})), results(partial=True)])
def test_a_file_with_little_in_it_gives_a_short_page(given):
    text = render(given)
    assert text.endswith("</html>\n")
    assert 'id="ladder"' not in text
    assert ("interrupted" in text) is given.partial


def test_their_own_apps_are_told_against_the_first():
    one = experiment("a.http", {"mine": 20.0, "mine again": 20.1, "other": 30.0}, reference="mine", title="GET /")
    given = results(one, study="apps", notes=["other and mine answer differently"])
    text = render(given)
    assert "GET /: other costs 10.0 µs more than mine (10.0 to 10.0)." in text
    assert "answer differently" in text


def test_a_difference_within_what_an_app_differs_from_itself_is_not_claimed():
    one = experiment("a.http", {"mine": 20.0, "mine again": 20.5, "other": 20.3}, reference="mine")
    given = results(one, study="apps")
    assert "no difference between other and mine can be claimed" in answer.about_apps(given, summarise(given))[0]


def test_one_app_alone_has_its_cost():
    given = results(experiment("a.http", {"mine": 20.0, "mine again": 20.0}, reference="mine"), study="apps")
    assert answer.about_apps(given, summarise(given)) == ["A.Http: mine costs 20.0 µs of CPU time a request."]


def test_a_file_without_a_ladder_is_refused_for_the_readme(tmp_path):
    target = tmp_path / "README.md"
    target.write_text("x", encoding="utf-8")
    given = results()
    with pytest.raises(readme.NoLadder, match="no ladder was measured"):
        readme.write(given, summarise(given), target, tmp_path / "plot.svg")


def test_the_readme_gets_crossings_and_peers(found):
    text = readme.section(found, summarise(found), "plot.svg")
    assert "| Flask | 55.0 µs (55.0 µs to 55.0 µs) |" in text
    assert "| Bottle | 20.0 |" in text
    assert "\n\nFlask costs 60.0 µs of CPU time a request more than a raw callable" in text


# Plots


def latency(service, generator):
    values = {name: Estimate(ms, ms, ms) for name, ms in (("p50", 1.0), ("p99", 8.0), ("p99.9", 40.0))}
    flat = Estimate(100.0, 100.0, 100.0)
    return LatencySummary(
        "services_latency", "t", "waitress", service, generator, 0.4, 100.0, flat, values, 0.1, 0.1, 3, 300
    )


@pytest.fixture
def drawn(found):
    made = charts.charts_of(summarise(found), curve.summarise(found))
    pairs = [latency(name, kind) for name in ("wsgi_core", "Flask") for kind in ("open loop", "locust")]
    return {**made, "latency": charts.latency_chart(pairs)}


def test_every_plot_is_an_svg_that_says_what_it_shows(drawn):
    assert {"null-waterfall", "null", "curve", "peers", "latency"} <= drawn.keys()
    for chart in drawn.values():
        root = ElementTree.fromstring(chart.svg())
        assert root.attrib["aria-label"]
        for element in root.iter():
            for name in ("x", "cx", "width"):
                assert float(element.attrib.get(name, 0)) <= chart.width


def test_both_modes_have_every_colour(drawn):
    text = drawn["null"].svg()
    light, dark = text.split("prefers-color-scheme: dark")
    for name, (one, other) in COLOURS.items():
        assert f"--{name}: {one}" in light
        assert f"--{name}: {other}" in dark


def test_in_the_waterfall_a_step_begins_where_the_last_one_ended():
    (one,) = summarise(results(ladder())).experiments
    falls = {name: (round(start, 6), round(price.value, 6)) for name, start, price in charts._falls(one)}
    assert falls["+ Werkzeug's Request"] == (5.0, 10.0)
    assert falls["+ Response"] == (15.0, 10.0)
    assert falls["wsgi_core"] == (0.0, 15.0)
    assert falls["Flask"] == (0.0, 65.0)


def test_noise_that_nobody_measured_is_not_called_quiet():
    given = results(experiment("null", {"raw callable": 5.0, "wsgi_core": 15.0, "Flask": 65.0}))
    assert noise.judge(given, summarise(given)).verdict == noise.UNKNOWN
    assert "The machine was quiet" not in render(given)
