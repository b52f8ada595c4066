"""The report as one HTML file, without scripts or external resources, for screens, phones and print.

``templates/report.html`` is the template. A section is omitted if the result file has no samples for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from loadtests.instrument.results import Results
from loadtests.report import charts, hot_and_cold, noise, tutorials
from loadtests.report.analysis import Summary
from loadtests.report.canvas import STYLE
from loadtests.report.findings import findings_of
from loadtests.report.format import Table, render
from loadtests.report.tables import SECTIONS, of, warnings
from loadtests.report.validation_page import check_table
from loadtests.report.versions import table as versions_table
from loadtests.studies import APPS, VERSIONS
from loadtests.validate import Validation

KINDS = {noise.QUIET: "quiet", noise.NOISY: "noisy", noise.UNUSABLE: "unusable", noise.UNKNOWN: "noisy"}
TITLES = {
    "versions": "Across versions", "ladder": "What each step costs", "matter": "When does it matter?",
    "peers": "Other frameworks", "latency": "How long clients wait", "served": "Behind a server",
    "heat": "Hot and cold caches", "more": "The other measurements of this run",
}  # fmt: skip
# The page's names of the facts about the machine.
FACTS = {
    "cpu": "CPU", "usable_threads": "usable threads", "governor": "frequency governor", "memory_mb": "memory, MiB",
    "system": "system", "python": "Python", "load_average": "load average before", "hash_seed": "main hash seed",
    "cpu_percent": "CPU busy before, %", "stolen_seconds": "CPU time taken by the host since its start, s",
}  # fmt: skip


@dataclass
class Section:
    """A section of the page: its title, plots and tables. ``pictures`` has the keys of the plots."""

    key: str
    title: str
    pictures: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.pictures or self.tables)


def page(results: Results, summary: Summary, validation: Validation | None = None) -> str:
    """Return the HTML of the report. If ``validation`` is given, the page also shows how the instrument was tested."""
    findings = findings_of(results, summary)
    return render(
        "report.html",
        results=results,
        findings=findings,
        kind=KINDS[findings.machine.verdict],
        sections=sections(results, summary),
        pictures=charts.pictures_of(summary),
        measured=tutorials.measured(summary, summary.curve) if summary.curve else {},
        warnings=warnings(results, summary),
        validation=validation,
        checks=check_table(validation) if validation else None,
        facts=_facts(results),
        apps=results.study == APPS,
        colours=STYLE,
    )


def sections(results: Results, summary: Summary) -> list[Section]:
    """Return the sections for which there are samples, in the order of the page."""
    tables = of(results, summary)
    if summary.heat:
        tables += [hot_and_cold.table(summary.heat), hot_and_cold.slope_table(summary.heat)]
    if summary.curve:
        tables += tutorials.tables(summary, summary.curve)
    if results.study == VERSIONS:
        tables.append(versions_table(summary))
    made = {key: Section(key, title) for key, title in TITLES.items()}
    for table in tables:
        made[table.section].tables.append(table)
    for key in charts.charts_of(summary):
        made[_section_of(key)].pictures.append(key)
    made["more"].pictures.sort()
    if [key for key, one in made.items() if one] == ["more"]:
        made["more"].title = "What was measured"
    return [one for one in made.values() if one]


def _section_of(picture: str) -> str:
    """Return the key of the section that shows the plot with the key ``picture``."""
    if "_latency-" in picture:
        return "latency"
    return "served" if picture.endswith("_rate") else SECTIONS.get(picture, "more")


def _facts(results: Results) -> dict[str, Any]:
    facts: dict[str, Any] = {FACTS.get(name, name): value for name, value in results.environment.items()}
    versions = facts.pop("versions", {})
    facts["packages"] = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    facts |= {"requests": results.rows, "started": results.started, "seconds": results.seconds}
    return {name: value for name, value in facts.items() if value not in ("", None, [])} | {"command": results.command}
