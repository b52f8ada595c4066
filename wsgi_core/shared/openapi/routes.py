"""The routes of an app as the description and the start page list them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

_VARIABLE = re.compile(r"<(?:(?P<converter>\w+)(?:\([^)]*\))?:)?(?P<name>\w+)>")
_SCHEMAS = {"int": {"type": "integer", "minimum": 0}, "float": {"type": "number", "minimum": 0}}


class Rule(Protocol):
    """What is asked of one of Werkzeug's rules."""

    rule: str
    endpoint: Any
    methods: set[str] | None


@dataclass(frozen=True, slots=True)
class Route:
    """A method of a rule: `POST /v2/models/<name>/infer`, and what its view says about itself."""

    method: str
    rule: str
    endpoint: str
    summary: str

    @property
    def key(self) -> str:
        """Method and rule, as the table of operations has them."""
        return f"{self.method} {self.rule}"

    @property
    def path(self) -> str:
        """The rule in OpenAPI's words: `/v2/models/{name}/infer`."""
        return _VARIABLE.sub(lambda found: f"{{{found['name']}}}", self.rule)

    @property
    def variables(self) -> dict[str, dict[str, Any]]:
        """The schema of each variable part of the path."""
        found = _VARIABLE.finditer(self.rule)
        return {each["name"]: _SCHEMAS.get(each["converter"], {"type": "string", "minLength": 1}) for each in found}


def list_routes(rules: Iterable[Rule], views: Mapping[str, Callable[..., Any]]) -> list[Route]:
    """Every method of every rule, in the order of paths, without the HEAD and OPTIONS that come with each."""
    routes = [
        Route(method, rule.rule, rule.endpoint, _first_sentence(views[rule.endpoint].__doc__))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    return sorted(routes, key=lambda route: (route.rule, route.method))


def _first_sentence(doc: str | None) -> str:
    """Return the docstring's first line."""
    return (doc or "").strip().partition("\n")[0].rstrip(".")
