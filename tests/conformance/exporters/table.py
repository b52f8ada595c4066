"""Write the tables of docs/models.md from docs/exporters.json and docs/providers.json."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.processes import ROOT

RESULTS = ROOT / "docs" / "exporters.json"
PROVIDERS = ROOT / "docs" / "providers.json"
PAGE = ROOT / "docs" / "models.md"
END = "<!-- end -->"

Results = list[dict[str, Any]]


def write_tables() -> None:
    """Replace the tables on the page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_tables(text), encoding="utf-8", newline="\n")


def with_tables(text: str) -> str:
    """Return the text of the page with its tables replaced."""
    for name, (file, render) in TABLES.items():
        begin = f"<!-- made by python -m tests.conformance.{name} -->\n"
        table = render(json.loads(file.read_text(encoding="utf-8")))
        pattern = f"{re.escape(begin)}.*?{re.escape(END)}"
        text = re.sub(pattern, lambda _, table=table, begin=begin: f"{begin}{table}{END}", text, flags=re.DOTALL)
    return text


def render_exporters(results: Results) -> str:
    """Return the table with a row for each exporter."""
    lines = ["| exporter | model | furthest from its library |", "|---|---|---|"]
    for result in results:
        packages = ", ".join(f"{name} {version}" for name, version in result["packages"].items())
        lines.append(f"| {packages or result['name']} | {result['model']} | {result['error'] or _off(result['off'])} |")
    return "\n".join(lines) + "\n"


def render_providers(results: Results) -> str:
    """Return the table with a row for each compared model."""
    lines = ["| onnxruntime | model | nodes of its graph | furthest from the CPU |", "|---|---|---|---|"]
    for result in results:
        nodes = ", ".join(
            f"{name.removesuffix('ExecutionProvider')} {count}" for name, count in result["nodes"].items()
        )
        lines.append(f"| {result['package']} | {result['model']} | {nodes} | {_off(result['off'])} |")
    return "\n".join(lines) + "\n"


def _off(difference: float | None) -> str:
    return f"{difference:.0e}" if difference else "equal"


TABLES: dict[str, tuple[Path, Callable[[Results], str]]] = {
    "exporters": (RESULTS, render_exporters),
    "providers": (PROVIDERS, render_providers),
}
