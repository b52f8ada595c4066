"""The report: a part appears only if it was measured, and a difference is claimed only if the run supports it."""

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from loadtests import validate
from loadtests.instrument.results import LatencyResult, LoadResult
from loadtests.instrument.stats import Estimate
from loadtests.report import charts, claims, findings, noise, page, tables
from loadtests.report.analysis import summarise
from loadtests.report.canvas import COLOURS
from loadtests.report.loads import LatencySummary, summarise_load
from tests.loadtests.report.test_comparison import load
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
    return page.page(given, summarise(given), proof)


def test_the_answer_stands_first(found):
    text = render(found)
    said = re.search(r'<p class="answer">(.*?)</p>', text)[1]
    assert said.startswith("Flask costs 4.33 times as much as wsgi_core (4.33 to 4.33)")
    assert "13.0 times as much as a bare callable" in said
    assert text.index('class="machine quiet"') < text.index("On this machine, in this run, Flask adds 60.0 µs")
    assert "wsgi_core 10.0 µs (10.0 to 10.0). Times in µs differ on other machines" in text
    assert "If your model takes 55.0 µs, the 60.0 µs that Flask adds are half of the request; at 535 µs" in text
    assert "at 5.93 ms 1 %" in text


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
    assert noise.judge(given, summarise(given)).unusable
    said = findings.findings_of(given, summarise(given))
    assert said.others == []
    assert said.machine.sentence.startswith(
        "The machine was too noisy, so no difference is claimed: an application measured"
    )
    assert 'class="machine unusable"' in render(given)
    assert "times" not in re.search(r'<p class="answer">(.*?)</p>', render(given))[1]


def test_time_that_the_host_took_is_part_of_the_verdict(found):
    found.seconds = 100.0
    found.environment = {**ENVIRONMENT, "revision": "r", "stolen_seconds": 1.0}
    found.environment_after = {"revision": "r", "stolen_seconds": 17.0}
    verdict = noise.judge(found, summarise(found))
    assert verdict.unusable
    assert "the host took 8% of the CPU time" in verdict.sentence
    # The same stolen seconds are a smaller share on a machine with more CPUs.
    found.environment["threads"] = 8
    assert "the host took 2% of the CPU time" in noise.judge(found, summarise(found)).sentence


@pytest.mark.parametrize(("count", "words"), [(1, "1 planned step was skipped"), (2, "2 planned steps were skipped")])
def test_skipped_steps_are_counted(found, count, words):
    found.left_out = count
    assert words in render(found)


def test_the_validation_is_shown_if_it_is_there(found, tmp_path):
    assert "folder has no validation" in render(found)
    proof = validate.Validating(tmp_path).found
    proof.same = [validate.Same(subject="s", cost=1, value=0, low=-1, high=1, naive_differs=False) for _ in range(200)]
    text = render(found, proof)
    assert "folder has no validation" not in text
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
    given = results(one, study="apps", notes=["other and mine respond differently"])
    text = render(given)
    assert "GET /: other costs 1.50 times as much as mine (1.50 to 1.50)." in text
    assert "wsgi-core overhead compare" in text
    assert "respond differently" in text


def test_a_difference_within_what_an_app_differs_from_itself_is_not_claimed():
    one = experiment("a.http", {"mine": 20.0, "mine again": 20.5, "other": 20.3}, reference="mine")
    given = results(one, study="apps")
    assert "no difference between other and mine can be claimed" in claims.sentences(given, summarise(given))[0]
    assert tables.experiment_table(summarise(given).experiments[0]).rows[-1][-1].endswith("(≈)")


def test_one_app_alone_has_its_cost():
    given = results(experiment("a.http", {"mine": 20.0, "mine again": 20.0}, reference="mine"), study="apps")
    assert claims.sentences(given, summarise(given)) == ["A.Http: mine costs 20.0 µs of CPU time a request."]


# Plots


def latency(service, generator):
    values = {name: Estimate(ms, ms, ms) for name, ms in (("p50", 1.0), ("p99", 8.0), ("p99.9", 40.0))}
    flat = Estimate(100.0, 100.0, 100.0)
    result = LatencyResult(
        key="services_latency", title="t", server="waitress", services=["wsgi_core", "Flask"], server_threads=4,
        users=4, connections=16, shares=[0.4],
    )  # fmt: skip
    return LatencySummary(result, service, generator, 0.4, 100.0, flat, values, 0.1, 0.1, 3)


@pytest.fixture(params=["wide", "narrow"])
def drawn(found, request):
    layout = {"wide": charts.WIDE, "narrow": charts.NARROW}[request.param]
    made = charts.charts_of(summarise(found), layout)
    pairs = [latency(name, kind) for name in ("wsgi_core", "Flask") for kind in ("open loop", "locust")]
    return {**made, "latency": charts.latency_chart(pairs, layout)}


def test_every_plot_is_an_svg_that_says_what_it_shows(drawn):
    assert {"null", "curve", "peers", "latency"} <= drawn.keys()
    for chart in drawn.values():
        root = ElementTree.fromstring(chart.svg())
        assert root.attrib["aria-label"]
        for element in root.iter():
            for name in ("x", "cx", "width"):
                if not element.attrib.get(name, "0").endswith("%"):
                    assert float(element.attrib.get(name, 0)) <= chart.width


def test_both_modes_have_every_colour(drawn):
    text = drawn["null"].svg()
    light, dark = text.split("prefers-color-scheme: dark")
    for name, (one, other) in COLOURS.items():
        assert f"--{name}: {one}" in light
        assert f"--{name}: {other}" in dark


@pytest.mark.parametrize(("clock", "unit"), [("cpu", "CPU µs"), ("wall", "wall µs")])
def test_the_waterfall_names_the_clock_that_was_read(clock, unit):
    (one,) = summarise(results(ladder())).experiments
    assert unit in charts.waterfall(replace(one, clock=clock)).svg(alone=True)


def test_in_the_waterfall_a_step_begins_where_the_last_one_ended():
    (one,) = summarise(results(ladder())).experiments
    shapes = map(ElementTree.fromstring, charts.waterfall(one).shapes)
    places = [(float(each.attrib["x"]), float(each.attrib["width"])) for each in shapes if each.tag == "rect"]
    for (x, width), (following, _) in pairwise(places[:3]):
        assert following == pytest.approx(x + width, abs=0.1)
    assert places[3][0] == places[0][0]


def test_noise_that_nobody_measured_is_not_called_quiet():
    given = results(experiment("null", {"raw callable": 5.0, "wsgi_core": 15.0, "Flask": 65.0}))
    assert noise.judge(given, summarise(given)).verdict == noise.UNKNOWN
    assert "The machine was quiet" not in render(given)


def test_no_step_is_claimed_for_the_rungs_that_are_not_one(found):
    table = tables.experiment_table(summarise(found).experiments[0])
    assert {row[0]: row[3] for row in table.rows}["wsgi_core"] == ""
    assert {row[0]: row[3] for row in table.rows}["+ Response"] == "10.0"


@pytest.mark.parametrize(
    ("ratio", "floor", "differs"),
    [
        ((0.787, 0.65, 0.953), 0.0, True),
        ((0.787, 0.65, 0.953), 0.1, False),
        ((5.7, 5.2, 6.4), 0.03, True),
        ((1.02, 1.01, 1.03), 0.03, False),
        ((1.0, 0.9, 1.1), 0.0, False),
        ((1.5, -float("inf"), float("inf")), 0.0, False),
    ],
)
def test_one_rule_decides_about_a_difference(ratio, floor, differs):
    """The headline, the table and the README call the same function with the same ratio."""
    value = Estimate(*ratio)
    assert claims.differs(value, floor) is differs
    assert claims.differs(claims.inverse(value), floor) is differs
    assert ("can be claimed" in claims.claim("a", "b", value, floor)) is not differs


@pytest.mark.parametrize("cost", [65.0, 16.0, 15.2])
def test_headline_and_table_agree(cost):
    given = results(experiment("null", {**COSTS, "wsgi_core again": 15.4, "Flask": cost}, ladder=True))
    summary = summarise(given)
    said = findings.findings_of(given, summary).headline
    row = next(row for row in tables.experiment_table(summary.experiments[0]).rows if row[0] == "wsgi_core")
    assert ("can be claimed" in said) is row[-1].endswith("(≈)")


@pytest.mark.parametrize(("width", "media"), [(390, "screen"), (1400, "screen"), (718, "print")])
def test_nothing_of_the_page_is_cut_off(found, tmp_path, browser, width, media):
    pairs = [latency(name, kind) for name in ("wsgi_core", "Flask") for kind in ("open loop", "locust")]
    target = tmp_path / "index.html"
    summary = summarise(found)
    summary.latencies.extend(pairs)
    summary.loads.append(summarise_load(LoadResult.model_validate(load({"wsgi_core": 200, "Flask": 300}))))
    target.write_text(page.page(found, summary), encoding="utf-8")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})
    browser.get(target.as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    small = browser.execute_script(
        "return [...document.querySelectorAll('svg text')].filter(e => e.getBoundingClientRect().height > 0)"
        ".filter(e => e.getBoundingClientRect().height < 11).length"
    )
    assert small == 0
    outside = browser.execute_script(
        "return [...document.querySelectorAll('svg text')].filter(e => e.getBoundingClientRect().width > 0)"
        ".filter(e => { const b = e.getBoundingClientRect(), s = e.ownerSVGElement.getBoundingClientRect();"
        " return b.left < s.left - 1 || b.right > s.right + 1 }).map(e => e.textContent)"
    )
    assert outside == []
