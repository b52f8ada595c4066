"""The routes of an app, as the API's description and the start page list them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

_VARIABLE = re.compile(r"<(?:(?P<converter>\w+)(?:\([^)]*\))?:)?(?P<name>\w+)>")
_SCHEMAS = {"int": {"type": "integer", "minimum": 0}, "float": {"type": "number", "minimum": 0}}


class Rule(Protocol):
    """The attributes of a Werkzeug rule that this module reads."""

    rule: str
    endpoint: Any
    methods: set[str] | None


@dataclass(frozen=True, slots=True)
class Route:
    """One method of a rule, such as `POST /v2/models/<name>/infer`.

    `summary` is the first line of the docstring of the route's view.
    """

    method: str
    rule: str
    endpoint: str
    summary: str

    @property
    def key(self) -> str:
        """The key of the route in the table of operations: its method and rule, such as `POST /predict`."""
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
    """Return a route for each method of each rule, sorted by rule.

    HEAD and OPTIONS are omitted, because the frameworks add them automatically.
    """
    routes = [
        Route(method, rule.rule, rule.endpoint, _first_sentence(views[rule.endpoint].__doc__))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    return sorted(routes, key=lambda route: (route.rule, route.method))


def _first_sentence(doc: str | None) -> str:
    """Return the first line of a docstring, without its full stop."""
    return (doc or "").strip().partition("\n")[0].rstrip(".")
