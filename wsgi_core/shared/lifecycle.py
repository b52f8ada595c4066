"""The steps of one request through the lifecycle, with the names of the functions that the app has for them.

The start page shows the steps of the request that made it. They are read from the app's own tables, which have the same
names on both frameworks. `wsgi-core trace` watches a request while it runs, and shows more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """A step: the method of the app that does it, what it does, and the functions of the app that it calls."""

    method: str
    does: str
    calls: list[str]


def steps_of(app: Any, request: Any) -> list[Step]:
    """Return the steps of `request`, which `app` is answering, in the order in which they happen."""
    # From the innermost blueprint to the app: the order after the view. Before the view it is the other way round.
    owners = (*request.blueprints, None)
    before = _names(app.before_request_funcs, owners[::-1])
    after = _names(app.after_request_funcs, owners, backwards=True)
    teardown = _names(app.teardown_request_funcs, owners, backwards=True)
    view = app.view_functions[request.endpoint]
    return [
        Step("wsgi_app", "The server calls the application with the environ of your request.", []),
        Step("request_context", "The contexts are pushed: from here on request and current_app have a meaning.", []),
        Step("match_request", f"{request.path} is matched to the rule {request.url_rule.rule}.", [request.endpoint]),
        Step("preprocess_request", "The functions before the view run.", before),
        Step("dispatch_request", "The view is called, and renders the page that you see.", [view.__name__]),
        Step("make_response", "What the view returned becomes a response.", []),
        Step("process_response", "The functions after the view change its headers.", after),
        Step("do_teardown_request", "The contexts end; then the server sends the body.", teardown),
    ]


def _names(table: Any, owners: tuple[Any, ...], backwards: bool = False) -> list[str]:
    """Return the names of the hooks of `owners`. Functions after the view run in the reverse order."""
    step = -1 if backwards else 1
    return [function.__name__ for owner in owners for function in table.get(owner, ())[::step]]
