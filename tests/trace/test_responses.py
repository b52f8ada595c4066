"""The responses of two traces: what counts as a difference."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import flask
import pytest

import wsgi_core
from tests.trace.apps import new_app
from wsgi_core.trace import Trace, compare_answers, trace


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> Trace:
    return Trace("", [], status, [(name.replace("_", "-"), value) for name, value in headers.items()], body)


COOKIE = "session=eyJhIjoxfQ.{}; {}HttpOnly; Path=/"


@pytest.mark.parametrize(
    ("left", "right", "rows"),
    [
        (answer(b"a", Date="x", X_Request_ID="1"), answer(b"a", X_Request_ID="2"), []),
        (answer(X_A="1", B="2"), answer(b="2", x_a="1"), []),
        (answer(X_A="1"), answer(X_A="2"), ["! answer: X-A ('1') | answer: X-A ('2')"]),
        (answer(X_Request_ID="1"), answer(), ["< answer: X-Request-Id ('1') | None"]),
        (answer(), answer(status="201 CREATED"), ["! answer: status (200 OK) | answer: status (201 CREATED)"]),
        (
            answer(b"one"),
            answer(b"on\x1b"),
            ["! answer: body (3 bytes, at 2: b'e') | answer: body (3 bytes, at 2: b'\\x1b')"],
        ),
    ],
)
def test_answers_are_compared_beside_the_events(left: Trace, right: Trace, rows: list[str]) -> None:
    assert [f"{row.mark} {row.left} | {row.right}" for row in compare_answers(left, right)] == rows


@pytest.mark.parametrize(
    ("cookie", "equal"),
    [
        (COOKIE.format("aaaaab." + "y" * 27, "Expires=Thu, 01 Jan 2026 00:00:02 GMT; "), True),
        (COOKIE.format("aaaaab." + "y" * 27, "Expires=Fri, 02 Jan 2026 00:00:00 GMT; "), False),
        (COOKIE.format("aaaaab." + "y" * 27, "Expires=never; "), False),
        (COOKIE.format("aaaaab." + "y" * 27, ""), False),
        (COOKIE.format("another.", "Expires=Thu, 01 Jan 2026 00:00:00 GMT; "), False),
    ],
)
def test_cookies_are_compared_without_their_signature(cookie: str, equal: bool) -> None:
    signed = COOKIE.format("aaaaaa." + "x" * 27, "Expires=Thu, 01 Jan 2026 00:00:00 GMT; ")
    assert (compare_answers(answer(Set_Cookie=signed), answer(Set_Cookie=cookie)) == []) is equal


def test_session_cookies_of_both_frameworks_are_equal() -> None:
    def answer_of(fw: t.Any, value: int) -> Trace:
        app = new_app(fw)
        app.secret_key = f"{fw.App}"

        def set_it() -> str:
            fw.session.permanent = True
            fw.session["a"] = value
            return ""

        app.view_functions["index"] = set_it
        return trace(app, "/")

    flasks = answer_of(SimpleNamespace(**vars(flask), App=flask.Flask), 1)
    assert compare_answers(flasks, answer_of(wsgi_core, 1)) == []
    assert [row.event.name for row in compare_answers(flasks, answer_of(wsgi_core, 2))] == ["Set-Cookie"]
