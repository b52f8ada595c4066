"""The steps of one request through the lifecycle, with the names of the view and the hooks that run in each step.

The start page shows the steps of its own request. The names are read from tables of the app, such as
`before_request_funcs`. Flask and wsgi_core have the same tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the lifecycle.

    `method` is the name of the app's method for the step, and `does` says what happens in the step. `calls` has the
    names of the functions that the step calls: the view or the hooks. In the step `match_request`, `calls` has the
    endpoint.
    """

    method: str
    does: str
    calls: list[str]


def steps_of(app: Any, request: Any) -> list[Step]:
    """Return the steps of `request` in their order. The request must have matched a rule of `app`."""
    # The hooks after the view run from the innermost blueprint to the app, the hooks before the view in reverse order.
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
    """Return the names of the hooks in `table` that belong to `owners` (names of blueprints, and None for the app).

    With `backwards`, the hooks of each owner are in the reverse order of their registration.
    """
    step = -1 if backwards else 1
    return [function.__name__ for owner in owners for function in table.get(owner, ())[::step]]
