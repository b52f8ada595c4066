"""The operations of the service, by method and rule: `POST /predict`."""

from __future__ import annotations

from ...inference import ModelRepository
from .operations import HTML, JSON, TEXT, Answer, Operation, errors, good, ref
from .protocol import protocol
from .tutorials import predictions


def operations(models: ModelRepository) -> dict[str, Operation]:
    """Everything that is known about the routes of the service, for the models as they are now."""
    return {**PAGES, **HEALTH, **predictions(models), **protocol(models)}


def _page(description: str = "", *codes: int) -> Operation:
    return Operation(
        "Pages", {200: good({"type": "string"}, "The page", HTML), **errors(*codes)}, description=description
    )


_FILE = {
    200: Answer("The file", {"*/*": {}}),
    206: Answer("The part that Range asked for", {"*/*": {}}),
    304: Answer("Not changed since"),
    416: Answer("There is no such part", {JSON: ref("Error")}),
    **errors(404),
}

PAGES = {
    "GET /": _page(),
    "GET /demo/digits": _page("", 404),
    "GET /demo/sentiment": _page("", 404),
    "GET /demo/churn": _page("", 404),
    "GET /demo/static/<path:filename>": Operation("Pages", _FILE, summary="Styles and scripts"),
    "GET /docs": _page("Works offline. It needs the extra `ui`; without it the page says so."),
    "GET /docs/<path:filename>": Operation("Pages", _FILE),
    "GET /openapi.json": Operation("Pages", {200: good({"type": "object"}, "OpenAPI 3.1")}),
}

HEALTH = {
    "GET /healthz": Operation("Operation", {200: good({"const": "ok"}, "The process lives", TEXT)}),
    "GET /readyz": Operation("Operation", {200: good({"const": "ready"}, "Requests are taken", TEXT)}),
    "GET /metrics": Operation("Operation", {200: good({"type": "string"}, "Figures, as Prometheus reads them", TEXT)}),
}
