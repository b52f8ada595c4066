"""A request is shown as a curl command that a shell parses correctly."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_core.commands.learn.curl import SERVER, curl_line

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@pytest.mark.parametrize(
    ("method", "body", "options"),
    [
        ("GET", "", []),
        ("POST", "[1]", ["--data-binary", "[1]"]),
        ("POST", "", ["-X", "POST"]),
        ("GET", "x", ["-X", "GET", "--data-binary", "x"]),
        ("DELETE", "", ["-X", "DELETE"]),
        ("HEAD", "", ["--head"]),
    ],
)
def test_the_method_is_named_unless_curl_takes_it_by_itself(method: str, body: str, options: list[str]):
    assert shlex.split(curl_line(method, "/sum", body=body)) == ["curl", "-i", *options, f"{SERVER}/sum"]


@given(name=TEXT, value=TEXT, body=TEXT)
def test_a_shell_reads_headers_and_body_as_they_are(name: str, value: str, body: str):
    words = shlex.split(curl_line("POST", "/", [(name, value)], body))
    assert words == ["curl", "-i", "-H", f"{name}: {value}", "--data-binary", body, f"{SERVER}/"]


def test_a_whole_url_is_kept():
    assert curl_line("GET", "http://127.0.0.1:5000/a?b=c&d") == "curl -i 'http://127.0.0.1:5000/a?b=c&d'"
