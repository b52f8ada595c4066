"""A report claims a difference only if the run supports it."""

from loadtests.report import analysis, claims, page, tables
from tests.loadtests.synthetic import results_with


def test_a_run_with_one_process_is_reported_without_intervals(made_up):
    made_up.experiments[0].processes = made_up.experiments[0].processes[:1]
    summary = analysis.summarise(made_up)
    assert "no difference between Flask and wsgi_core can be claimed" in claims.sentences(made_up, summary)[0]
    assert tables.of(made_up, summary)[0].rows[0][2] == "unknown"
    assert "<svg" in page.page(made_up, summary)


def test_a_difference_below_the_noise_is_not_claimed():
    results = results_with([1.0, 6.0, 21.0, 11.0, 12.0, 11.5])
    said = claims.sentences(results, analysis.summarise(results))
    assert "no difference between Flask and wsgi_core can be claimed" in said[0]


def test_no_claim_without_an_interval_that_carries_it():
    clear, vague = analysis.Estimate(5.0, 4.0, 6.0), analysis.Estimate(1.5, 0.9, 2.0)
    assert claims.claim("a", "b", clear) == "a costs 5.00 times as much as b (4.00 to 6.00)"
    assert claims.claim("a", "b", vague).startswith("no difference between a and b can be claimed (0.900 to 2.00")
    assert claims.claim("a", "b", clear, floor=3.5).startswith("no difference")
