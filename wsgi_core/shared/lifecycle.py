"""The steps of one request through the lifecycle, which the start page shows.

The names of hooks come from tables of the app, such as `before_request_funcs`. Flask and wsgi_core have the same
tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the lifecycle.

    method: the name of the framework's method that performs the step
    does: what happens in the step
    calls: the names of the view or the hooks that the step calls; in `match_request`, the endpoint
    """

    method: str
    does: str
    calls: list[str]


def steps_of(app: Any, request: Any) -> list[Step]:
    """Return the steps of `request` in their order. The request must have matched a rule of `app`."""
    # Hooks before the view run from the app to the innermost blueprint. Hooks after the view run in the reverse order.
    owners = (*request.blueprints, None)
    before = _names(app.before_request_funcs, owners[::-1])
    after = _names(app.after_request_funcs, owners, backwards=True)
    teardown = _names(app.teardown_request_funcs, owners, backwards=True)
    view = app.view_functions[request.endpoint]
    return [
        Step("wsgi_app", "The server calls the application with the environ of your request.", []),
        Step("request_context", "The contexts are pushed. From here on, request and current_app can be used.", []),
        Step("match_request", f"{request.path} is matched to the rule {request.url_rule.rule}.", [request.endpoint]),
        Step("preprocess_request", "The before_request functions run.", before),
        Step("dispatch_request", "The view is called, and renders the page that you see.", [view.__name__]),
        Step("make_response", "The view's return value becomes a response.", []),
        Step("process_response", "The after_request functions run, and may change the response.", after),
        Step("do_teardown_request", "The teardown_request functions run. Then the server sends the body.", teardown),
    ]


def _names(table: Any, owners: tuple[Any, ...], backwards: bool = False) -> list[str]:
    """Return the names of the hooks in `table` that belong to `owners`: names of blueprints, and None for the app.

    If `backwards` is true, the hooks of each owner are in the reverse order of their registration.
    """
    step = -1 if backwards else 1
    return [function.__name__ for owner in owners for function in table.get(owner, ())[::step]]
