"""The table of docs/models.md, made of docs/exporters.json."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.processes import ROOT

RESULTS = ROOT / "docs" / "exporters.json"
PAGE = ROOT / "docs" / "models.md"

BEGIN = "<!-- made by python -m tests.conformance.exporters -->\n"
END = "<!-- end -->"


def write_table() -> None:
    """Put the table into its place on the page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_table(text), encoding="utf-8", newline="\n")


def with_table(text: str) -> str:
    """Return the page with the table of the results."""
    table = render(json.loads(RESULTS.read_text(encoding="utf-8")))
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: f"{BEGIN}{table}{END}", text, flags=re.DOTALL)


def render(results: list[dict[str, Any]]) -> str:
    """Return the Markdown of the table."""
    lines = ["| exporter | model | furthest from its library |", "|---|---|---|"]
    for result in results:
        packages = ", ".join(f"{name} {version}" for name, version in result["packages"].items())
        off = "equal" if result["off"] == 0 else f"{result['off'] or 0:.0e}"
        lines.append(f"| {packages or result['name']} | {result['model']} | {result['error'] or off} |")
    return "\n".join(lines) + "\n"
