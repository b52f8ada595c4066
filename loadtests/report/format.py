"""Format figures as text: digits, intervals, Markdown tables, and the pages' templates."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from loadtests.instrument.results import Results
from loadtests.instrument.stats import Estimate


@dataclass(frozen=True)
class Table:
    """A table: title, column heads, rows of text, and a note below the rows.

    ``marks`` is empty, or has a verdict for each row, which sets the row's colour. ``section`` is the key of the
    table's section on the page.
    """

    title: str
    heads: list[str]
    rows: list[list[str]]
    note: str = ""
    marks: list[str] = field(default_factory=list)
    section: str = "more"

    def marked(self) -> list[tuple[str, list[str]]]:
        """Return the verdict and the cells of each row. If ``marks`` is empty, each verdict is ""."""
        return list(zip(self.marks or [""] * len(self.rows), self.rows, strict=True))


def number(value: float, digits: int = 3) -> str:
    """Return ``value`` with ``digits`` significant digits, but at least all digits before the decimal point.

    Examples: 0.314, 21.4 and 3,812. A value that is rounded up to a power of ten may have one digit more, such as
    "10.00" for 9.996. A value that is not finite is "?".
    """
    if not math.isfinite(value):
        return "?"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def interval(value: Estimate, digits: int = 3) -> str:
    """Return ``low to high``, each formatted by ``number``, or "unknown" for an infinite interval."""
    if not (math.isfinite(value.low) and math.isfinite(value.high)):
        return "unknown"
    return f"{number(value.low, digits)} to {number(value.high, digits)}"


def cells(value: Estimate) -> list[str]:
    """Return the value and its interval, as two cells of a table."""
    return [number(value.value), interval(value)]


def with_interval(value: Estimate, digits: int = 3) -> str:
    """Return the value with its interval in parentheses."""
    return f"{number(value.value, digits)} ({interval(value, digits)})"


def microseconds(value: float) -> str:
    """Return ``value`` µs as text: below 1,000 µs in µs, otherwise in ms."""
    return f"{number(value)} µs" if value < 1000 else f"{number(value / 1000)} ms"


def percent(value: Estimate) -> str:
    """Return a share in percent, with its interval unless the interval is infinite."""
    return (
        f"{value.value:.0%} ({value.low:.0%} to {value.high:.0%})"
        if math.isfinite(value.high)
        else f"{value.value:.0%}"
    )


def machine(results: Results) -> str:
    """Return one line: the date, the processor, the version of Python, and where the rows of input come from."""
    return f"Measured {results.started[:10]} on {machine_of(results.environment)}; {results.rows}."


def machine_of(environment: Mapping[str, Any]) -> str:
    """Return the processor, the number of its usable threads, and the version of Python, as text."""
    threads = environment.get("usable_threads") or environment.get("threads")
    python = str(environment.get("python", "")).partition(" (")[0]
    return f"{environment.get('cpu', 'a machine')}, {threads} threads, {python}"


def markdown(table: Table, words: Collection[int] = (0,)) -> str:
    """Return the table in GitHub's Markdown. ``words`` are the columns without numbers; numbers are right-aligned."""
    rules = ["---" if column in words else "---:" for column in range(len(table.heads))]
    lines = [table.heads, rules, *table.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def render(template: str, **values: Any) -> str:
    """Render a template of the folder ``templates`` with ``values``."""
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=template.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pages.filters |= {
        "markdown": markdown,
        "value": with_interval,
        "number": number,
        "time": microseconds,
        "share": percent,
    }
    return pages.get_template(template).render(**values)


def write_text(target: Path, text: str) -> None:
    """Write a page or a plot, with the same line endings on every system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8", newline="\n")
