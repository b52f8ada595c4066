"""The report as one HTML file without scripts and external resources, for light and dark mode, phones and print.

``templates/report.html`` is the page. A section is omitted if the result file has no samples for it, as in a quick or
an interrupted run or in an older file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from loadtests import curve, heat
from loadtests.instrument.results import Results
from loadtests.report import charts, hot_and_cold, noise, tutorials
from loadtests.report.analysis import Summary
from loadtests.report.canvas import STYLE
from loadtests.report.findings import findings_of
from loadtests.report.format import Table, render
from loadtests.report.tables import of, warnings
from loadtests.report.validation_page import checks
from loadtests.report.versions import table as versions_table
from loadtests.studies import APPS, VERSIONS
from loadtests.validate import Validation

KINDS = {noise.QUIET: "quiet", noise.LOUD: "noisy", noise.HOPELESS: "hopeless", noise.UNKNOWN: "noisy"}
# What the facts about the machine are called.
FACTS = {
    "cpu": "CPU", "usable_threads": "usable threads", "governor": "frequency governor", "memory_mb": "memory, MiB",
    "system": "system", "python": "Python", "load_average": "load average before", "hash_seed": "hash seed here",
    "cpu_percent": "CPU busy before, %", "stolen_seconds": "taken by the host since its start, s",
}  # fmt: skip


@dataclass
class Section:
    """A part of the page: the template's text for ``key``, then the pictures with these keys, then tables."""

    key: str
    title: str
    pictures: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.pictures or self.tables)


def page(results: Results, summary: Summary, proof: Validation | None = None) -> str:
    """Return the whole page. ``proof`` is the validation that was found beside the results."""
    found = curve.summarise(results)
    said = findings_of(results, summary, found)
    return render(
        "report.html",
        results=results,
        said=said,
        kind=KINDS[said.machine.verdict],
        sections=sections(results, summary, found),
        pictures=charts.pictures_of(summary, found, heat.summarise(results)),
        measured=tutorials.measured(summary, found) if found and found.points and not said.machine.hopeless else {},
        warnings=warnings(results, summary),
        proof=_proof(proof) if proof else None,
        facts=_facts(results),
        apps=results.study == APPS,
        colours=STYLE,
    )


class _Shelf:
    """Tables and keys of pictures, each of which is taken once."""

    def __init__(self, results: Results, summary: Summary, found: curve.Curve | None) -> None:
        self.tables = of(results, summary)
        self.pictures = list(charts.charts_of(summary, found, heat.summarise(results)))

    def take(self, *titles: str) -> list[Table]:
        """Remove and return the tables whose titles begin with the given text."""
        taken = [table for table in self.tables if titles and table.title.startswith(titles)]
        self.tables = [table for table in self.tables if table not in taken]
        return taken

    def draw(self, keys: Iterable[str]) -> list[str]:
        """Take the pictures with these keys, as far as there are any."""
        taken = [key for key in keys if key in self.pictures]
        self.pictures = [key for key in self.pictures if key not in taken]
        return taken


def sections(results: Results, summary: Summary, found: curve.Curve | None) -> list[Section]:
    """Return the parts of a report for which there are samples, in the order in which they are read."""
    shelf = _Shelf(results, summary, found)
    titles = {one.key: one.title for one in summary.experiments}
    null, peers = titles.get("null", "\0"), titles.get("peers", "\0")
    rates = [one.key for one in summary.loads if one.mode == "rate"]
    latencies = [key for key in shelf.pictures if key.startswith(tuple(one.key for one in summary.latencies) or "\0")]
    matter = Section("matter", "When does it matter?")
    if found and found.points:
        matter.pictures = shelf.draw(["curve"])
        matter.tables = [tutorials.crossing_table(found), tutorials.share_table(found)]
        matter.tables.append(tutorials.cost_table(summary, found))
    versions = Section("versions", "Across versions")
    if results.study == VERSIONS:
        versions.tables = [versions_table(summary)]
    made = [
        versions,
        Section("ladder", "What each step costs", shelf.draw(["null"]), shelf.take(null)),
        matter,
        Section("peers", "Other frameworks", shelf.draw(["peers"]), shelf.take(peers)),
        Section("latency", "How long clients wait", shelf.draw(latencies),
                shelf.take(*{f"{one.title}: latency" for one in summary.latencies})),
        Section("served", "Behind a server", shelf.draw(rates), shelf.take(*{one.title for one in summary.loads})),
        Section("heat", "Hot and cold caches", shelf.draw(["heat"]), hot_and_cold.tables(results)),
    ]  # fmt: skip
    last = "The other measurements of this run" if any(made) else "What was measured"
    more = Section("more", last, shelf.draw(sorted(shelf.pictures)), shelf.tables)
    return [one for one in (*made, more) if one]


def _proof(proof: Validation) -> dict[str, Any]:
    made = checks(proof)
    rows = [[one.text, one.found, one.verdict] for one in made]
    table = Table("", ["the instrument", "found", ""], rows, marks=[one.verdict for one in made])
    return {"table": table, "when": proof.started[:10], "cpu": proof.environment.get("cpu", "a machine")}


def _facts(results: Results) -> dict[str, Any]:
    facts: dict[str, Any] = {FACTS.get(name, name): value for name, value in results.environment.items()}
    versions = facts.pop("versions", {})
    facts["packages"] = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    facts |= {"requests": results.rows, "started": results.started, "seconds": results.seconds}
    return {name: value for name, value in facts.items() if value not in ("", None, [])} | {"command": results.command}
