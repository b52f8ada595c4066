"""The published figures: the README's block, and the page with everything else."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtests.instrument.results import ResultError, Results
from loadtests.report import readme
from loadtests.report.analysis import summarise
from loadtests.report.comparison import PUBLISHED
from tests.loadtests.report.test_comparison import load
from tests.loadtests.report.test_page import COSTS, ladder
from tests.loadtests.synthetic import experiment, results

ROOT = Path(__file__).parents[3]
PEERS = experiment("peers", {**COSTS, "Bottle": 20.0}, title="Peers", reference="Flask")
MARKED = f"above\n\n{readme.BEGIN}\nold\n{readme.END}\n\nbelow\n"


def rows(text: str) -> list[list[str]]:
    """Return the cells of the tables in ``text``, without their heads and rules."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [line for place, line in enumerate(lines) if not set(line[-1]) <= {"-", ":"} and place]


def write(given: Results, folder: Path) -> tuple[str, str]:
    """Return the README and the page of results that ``given`` makes."""
    target, page = folder / "README.md", folder / "docs" / "measure" / "results.md"
    target.write_text(MARKED, encoding="utf-8")
    summary = summarise(given)
    readme.write(given, summary, target, folder / "docs" / "overhead.svg")
    readme.write_results(given, summary, page)
    return target.read_text(encoding="utf-8"), page.read_text(encoding="utf-8")


def test_the_block_has_one_table_of_three_rows_with_the_ratio_first(tmp_path: Path):
    churn = experiment("churn", {**COSTS, "Flask": 130.0}, ladder=True, title="churn")
    text, _ = write(results(ladder(), churn, PEERS), tmp_path)
    assert rows(text) == [
        ["raw callable", "0.0769", "5.00 (5.00 to 5.00)", "0.0385", "5.00 (5.00 to 5.00)"],
        ["wsgi_core", "0.231", "15.0 (15.0 to 15.0)", "0.115", "15.0 (15.0 to 15.0)"],
        ["Flask", "1", "65.0 (65.0 to 65.0)", "1", "130 (130 to 130)"],
    ]
    assert "| | null model: ÷ Flask | µs | churn model: ÷ Flask | µs |" in re.sub(" +", " ", text)


def test_the_block_stands_between_its_markers_and_can_be_written_again(tmp_path: Path):
    given = results(ladder(), PEERS)
    text, _ = write(given, tmp_path)
    assert text.startswith(f"above\n\n{readme.BEGIN}\n\nFlask costs 4.33 times as much as wsgi_core")
    assert text.endswith(f"\n\n{readme.END}\n\nbelow\n")
    readme.write(given, summarise(given), tmp_path / "README.md", tmp_path / "docs" / "overhead.svg")
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == text


def test_every_other_table_is_on_the_page_of_results(tmp_path: Path):
    text, page = write(results(ladder(), PEERS, loads=[load({"wsgi_core": 300, "Flask": 400})]), tmp_path)
    assert "Bottle" not in text
    for row in ("| Bottle | 20.0 |", "| Flask | 55.0 µs (55.0 µs to 55.0 µs) |", "| + Response | 0.385 |"):
        assert row in page
    headings = re.findall("^## (.*)", page, re.M)
    assert headings[:4] == ["From the bare callable to Flask", "What each step costs", "When does it matter?",
                            "Other frameworks"]  # fmt: skip
    assert "Behind a server" in headings
    assert page.count("\n### Peers\n") == 1


def test_the_page_shows_its_charts_and_keeps_none_of_an_earlier_run(tmp_path: Path):
    stale = tmp_path / "docs" / "measure" / "results" / "stale.svg"
    stale.parent.mkdir(parents=True)
    stale.write_text("<svg/>", encoding="utf-8")
    _, page = write(results(ladder(), PEERS), tmp_path)
    shown = re.findall(r"!\[[^\]]+\]\((results/[^)]+)\)", page)
    assert shown == ["results/null.svg", "results/curve.svg", "results/peers.svg"]
    assert sorted(file.name for file in stale.parent.iterdir()) == ["curve.svg", "null.svg", "peers.svg"]
    for name in shown:
        svg = ElementTree.parse(tmp_path / "docs" / "measure" / name).getroot()
        # An image follows the system's colour mode, not the page's. Without a background, it may be white on white.
        assert svg[1].attrib == {"width": "100%", "height": "100%", "style": "fill: var(--paper)"}


def test_a_noisy_machine_is_told_in_the_block(tmp_path: Path):
    text, _ = write(results(ladder()), tmp_path)
    assert "The machine was" not in text
    noisy = experiment("null", {**COSTS, "wsgi_core again": 16.0}, ladder=True)
    text, page = write(results(noisy), tmp_path)
    assert "The machine was noisy" in text
    assert "The machine was noisy" in page


@pytest.mark.parametrize(
    "given",
    [
        results(),
        results(experiment("null", {"mine": 1.0, "other": 2.0}, ladder=True)),
        results(experiment("a.http", {"mine": 20.0, "mine again": 20.0}, reference="mine"), study="apps"),
        results(study="core"),
    ],
)
def test_a_file_without_a_ladder_is_refused_and_nothing_is_written(given: Results, tmp_path: Path):
    with pytest.raises(ResultError, match="no ladder from the bare callable to Flask"):
        write(given, tmp_path)
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == MARKED
    assert not (tmp_path / "docs").exists()


@pytest.mark.skipif(not (PUBLISHED.exists() and (ROOT / "docs").is_dir()), reason="no results are published here")
@pytest.mark.usefixtures("all_draws")
def test_the_published_pages_are_those_of_the_published_results(tmp_path: Path):
    given = Results.read(PUBLISHED)
    text, page = write(given, tmp_path)
    block = text[text.index(readme.BEGIN) : text.index(readme.END)]
    assert block in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / "docs" / "measure" / "results.md").read_text(encoding="utf-8") == page
