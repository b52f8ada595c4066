"""Flask extensions run unchanged on the core, and their applications give clients the same responses as on Flask."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from tests.conformance.extensions import NAMES, described
from tests.conformance.extensions.visitor import Visitor, steady, steady_header
from tests.processes import ROOT, run

SUBJECTS = ("core", "real")
FRAMEWORK = {"core": "wsgi_core", "real": "flask"}


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """The responses of all applications on each framework, which runs in its own process."""

    def result(subject: str) -> Any:
        done = run("-m", "tests.conformance.extensions", subject)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    with ThreadPoolExecutor() as pool:
        return dict(zip(SUBJECTS, pool.map(result, SUBJECTS), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_client_sees_no_difference(seen: dict[str, Any], name: str):
    core, real = (seen[subject]["apps"][name] for subject in SUBJECTS)
    assert core["error"] == "", core["error"]
    assert real["error"] == "", real["error"]
    assert len(real["answers"]) >= 10
    for ours, theirs in zip(core["answers"], real["answers"], strict=True):
        assert ours == theirs


# The comparison is meaningful


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("name", NAMES)
def test_an_extension_works_with_one_framework_alone(seen: dict[str, Any], name: str, subject: str):
    assert seen[subject]["apps"][name]["names_of"] == [FRAMEWORK[subject]]


def test_no_module_of_the_other_framework_is_loaded(seen: dict[str, Any]):
    assert {subject: seen[subject]["loaded"] for subject in SUBJECTS} == {"core": ["wsgi_core"], "real": ["flask"]}
    assert [seen[subject]["flask"] for subject in SUBJECTS] == ["wsgi_core.app.App", "flask.app.Flask"]


def test_a_status_that_was_not_expected_ends_the_visit():
    visitor = Visitor(Client(Response("gone", 410)))
    with pytest.raises(AssertionError, match="410 GONE"):
        visitor("GET /", 200)
    assert [answer.body for answer in visitor.answers] == ["gone"]


# What is not compared


def test_a_session_is_compared_without_its_signature_but_with_its_contents():
    first, later, other = (
        f"session={cookie}; HttpOnly; Path=/"
        for cookie in ("eyJhIjoxfQ.aR5Uxg.2w-d", "eyJhIjoxfQ.aR5Uyg.x_4F", "eyJhIjoyfQ.aR5Uxg.2w-d")
    )
    assert steady_header("Set-Cookie", first) == "session={'a': 1}; HttpOnly; Path=/"
    assert steady_header("Set-Cookie", first) == steady_header("Set-Cookie", later)
    assert steady_header("Set-Cookie", first) != steady_header("Set-Cookie", other)


def test_the_moment_at_which_a_cookie_expires_is_not_compared_but_how_long_it_lasts():
    cookie = "remember_token=ada|5e; Expires=Sun, 21 Nov 2027 17:00:00 GMT; Max-Age=31536000; Path=/"
    steadied = "remember_token=ada|5e; Expires=<time>; Max-Age=31536000; Path=/"
    assert steady_header("Set-Cookie", cookie) == steadied


def test_methods_are_a_set_and_no_other_list_is():
    assert steady_header("Allow", "POST, GET") == steady_header("Allow", "GET, POST")
    assert steady_header("Vary", "Origin, Cookie") == "Origin, Cookie"


def test_a_csrf_token_is_taken_out_of_a_body_and_nothing_else_is():
    token = f"I{'a' * 55}.aR5Uxg.{'-' * 27}"
    assert steady(f'<input value="{token}"> I.b.c') == '<input value="<token>"> I.b.c'


# The documentation


@pytest.mark.parametrize("name", NAMES)
def test_the_page_names_each_extension_and_says_what_is_done_with_it(name: str):
    """If it fails, run ``python -m tests.conformance.flask_suite`` to write the page."""
    title, does = described(name)
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    assert f"| {title} | {does} |" in page
