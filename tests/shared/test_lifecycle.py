"""The start page shows the steps that its own request took, on both frameworks."""

from __future__ import annotations

import re
import sys
from types import FrameType
from typing import Any

import pytest

from wsgi_core import App, Blueprint, request
from wsgi_core.shared.lifecycle import steps_of


@pytest.fixture(params=["wsgi_core", "flask"])
def app(request: pytest.FixtureRequest, services: dict[str, Any]) -> Any:
    return services[request.param]


def shown(text: str) -> list[tuple[str, list[str]]]:
    """Return the method of each step on the page, with the functions that the step lists."""
    steps = re.search(r'<ol class="steps">(.*?)</ol>', text, re.DOTALL)
    assert steps
    found = []
    for line in re.findall("<li>(.*?)</li>", steps[1], re.DOTALL):
        method, *calls = re.findall("<code[^>]*>(.*?)</code>", line)
        found.append((method, calls))
    return found


def test_the_page_names_the_functions_that_ran_in_their_order(app: Any):
    client, called = app.test_client(), []

    def watch(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            called.append(frame.f_code.co_name)

    client.get("/").close()
    sys.setprofile(watch)
    try:
        response = client.get("/")
    finally:
        sys.setprofile(None)
    steps = shown(response.text)
    named = [name for method, calls in steps for name in calls if method != "match_request"]
    assert named == ["index", "forbid_sniffing"]
    assert [name for name in called if name in named] == named
    methods = [method for method, _ in steps]
    assert list(dict.fromkeys(name for name in called if name in methods)) == methods
    assert dict(steps)["match_request"] == ["demo.index"]


def test_functions_after_the_view_stand_in_the_reverse_order():
    app, part = App("app"), Blueprint("part", "part")

    def first(*given: Any) -> None: ...
    def second(*given: Any) -> None: ...
    def third(*given: Any) -> None: ...
    def changed(response: Any) -> Any:
        return response

    part.before_request(second)
    part.teardown_request(second)
    part.after_request(changed)
    part.add_url_rule("/", "view", lambda: "")
    app.before_request(first)
    app.teardown_request(first)
    app.teardown_request(third)
    app.register_blueprint(part)
    with app.test_request_context("/"):
        calls = {step.method: step.calls for step in steps_of(app, request)}
    assert calls["preprocess_request"] == ["first", "second"]
    assert calls["process_response"] == ["changed"]
    assert calls["do_teardown_request"] == ["second", "third", "first"]
