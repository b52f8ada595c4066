"""The routes of an app, for the OpenAPI description and the start page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

_VARIABLE = re.compile(r"<(?:(?P<converter>\w+)(?:\([^)]*\))?:)?(?P<name>\w+)>")
_SCHEMAS = {"int": {"type": "integer", "minimum": 0}, "float": {"type": "number", "minimum": 0}}


class Rule(Protocol):
    """The attributes of Werkzeug's `Rule` that this module reads."""

    rule: str
    endpoint: Any
    methods: set[str] | None


@dataclass(frozen=True, slots=True)
class Route:
    """One method of a URL rule, such as `POST /v2/models/<name>/infer`. `summary` says what the route does."""

    method: str
    rule: str
    endpoint: str
    summary: str

    @property
    def key(self) -> str:
        """The method and the rule, such as `POST /predict`."""
        return f"{self.method} {self.rule}"

    @property
    def path(self) -> str:
        """The rule in OpenAPI's syntax: `/v2/models/{name}/infer`."""
        return _VARIABLE.sub(lambda found: f"{{{found['name']}}}", self.rule)

    @property
    def variables(self) -> dict[str, dict[str, Any]]:
        """The schema of each variable in the path, by name."""
        found = _VARIABLE.finditer(self.rule)
        return {each["name"]: _SCHEMAS.get(each["converter"], {"type": "string", "minLength": 1}) for each in found}


def list_routes(rules: Iterable[Rule], views: Mapping[str, Callable[..., Any]]) -> list[Route]:
    """Return a route for each method of each rule, sorted by rule and method.

    `views` maps each endpoint to its view function. The summary of a route is the first line of the view's docstring.
    HEAD and OPTIONS are omitted, because Flask and wsgi_core add them to rules.
    """
    routes = [
        Route(method, rule.rule, rule.endpoint, _first_line(views[rule.endpoint].__doc__))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    return sorted(routes, key=lambda route: (route.rule, route.method))


def _first_line(doc: str | None) -> str:
    """Return the first line of a docstring, without its full stop."""
    return (doc or "").strip().partition("\n")[0].rstrip(".")
