"""Values are formatted briefly, without running the app's code, and without secrets."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.datastructures import EnvironHeaders, Headers, ImmutableMultiDict
from werkzeug.exceptions import NotFound
from werkzeug.routing import Rule

from wsgi_core.trace.formatting import (
    format_attributes,
    format_body,
    format_header,
    format_value,
    is_secret,
    redact,
    redact_source,
)


class Touchy:
    """An object that raises an exception if its class, length, text or elements are read."""

    def __repr__(self) -> str:
        raise AssertionError

    __str__ = __len__ = __iter__ = __eq__ = __repr__  # type: ignore[assignment]

    @property
    def __class__(self) -> Any:
        raise AssertionError


class Counting(dict[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise AssertionError

    items = keys = __iter__ = __len__ = __getitem__  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("it's", '"it\'s"'),
        (None, "None"),
        (True, "True"),
        (1.5, "1.5"),
        (b"ab", "b'ab'"),
        (b"\xff" * 3, "<3 bytes>"),
        ([1, "a", None], "[1, 'a', None]"),
        ((1,), "(1)"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …]"),
        ({"a": {"b": {"c": [1]}}}, "{'a': {'b': {'c': <list of 1>}}}"),
        ({"password": "x", "n": 1}, "{'password': not shown, 'n': 1}"),
        (ImmutableMultiDict([("a", "1")]), "ImmutableMultiDict({'a': ['1']})"),
        (Counting(a=1), "Counting({'a': 1})"),
        (Rule("/items/<int:n>"), "<Rule '/items/<int:n>'>"),
        (NotFound(), "<NotFound>"),
        (Headers([("Cookie", "a=b"), ("Accept", "*/*")]), "Cookie: not shown, Accept: */*"),
        (EnvironHeaders({"HTTP_AUTHORIZATION": "Bearer abc"}), "Authorization: not shown"),
        ("\ud800\0", r"'\ud800\x00'"),
    ],
)
def test_values_are_one_short_line(value: Any, text: str) -> None:
    assert format_value(value) == text


def test_a_value_is_not_asked_for_anything() -> None:
    assert format_value(object()) == "<object>"
    assert format_value([Touchy()]) == "[<Touchy>]"


def test_long_values_are_cut() -> None:
    assert len(format_value("x" * 10_000)) == 160
    assert len(format_value(["y" * 100] * 10)) == 160
    assert format_value(10**5000) == "<int>"


@pytest.mark.parametrize(
    "name", ["Authorization", "X-API-Key", "csrf_token", "PASSWORD", "db_pwd", "Set-Cookie", "auth"]
)
def test_secret_names(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["author", "authors", "WWW-Authenticate", "Content-Type", "key", "passed", 7])
def test_names_that_are_not_secret(name: object) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a=1&token=xyz&b=2", "a=1&token=…&b=2"),
        ('{"password": "a\\"b", "n": 1}', '{"password": …, "n": 1}'),
        ('{"secret": {"a": 1}}', '{"secret": …'),
        ("Authorization: Bearer abc.def rest", "Authorization: … rest"),
        ("postgres://me:pw@host/db", "postgres://…@host/db"),
        ("redis://me:p@ss@host/0", "redis://…@host/0"),
        ('"password": "cut he', '"password": …'),
        ("nothing here", "nothing here"),
    ],
)
def test_secrets_in_texts_are_left_out(text: str, clean: str) -> None:
    assert redact(text) == clean


def test_a_cookie_that_is_set_shows_its_name_and_attributes() -> None:
    assert format_header("Set-Cookie", "session=abc.def; HttpOnly; Path=/") == "session=…; HttpOnly; Path=/"
    assert format_header("set-cookie", "a=b") == "a=…"
    assert format_header("Location", "/next?token=abc") == "/next?token=…"


def test_source_keeps_its_columns() -> None:
    line = 'app.config.update(SECRET_KEY="golden", DEBUG=True)'
    clean = redact_source(line)
    assert "golden" not in clean
    assert len(clean) == len(line)
    assert clean.endswith('", DEBUG=True)')
    assert redact_source("app.secret_key = os.environ['A']") == "app.secret_key = os.environ['A']"


@pytest.mark.parametrize(
    ("line", "clean"),
    [
        ('password: str = "abc"', 'password: str = "•••"'),
        ('tokens: dict[str, str] | None = "abc"', 'tokens: dict[str, str] | None = "•••"'),
        (
            'def log_in(password: str = "abc", name: str = "bob"):',
            'def log_in(password: str = "•••", name: str = "bob"):',
        ),
        ('def f(password: str, name="bob"):', 'def f(password: str, name="bob"):'),
        ('secret = rb"abc"', 'secret = rb"•••"'),
        ('secret = """abc"""', 'secret = """•••"""'),
        ('secret = """abc', 'secret = """•••'),
        ('secret = ("abc")', 'secret = ("•••")'),
        ('if (token := "abc"):', 'if (token := "•••"):'),
        ('if token == "abc":', 'if token == "•••":'),
        ('password = "it\'s me"', 'password = "•••••••"'),
        (r"password = 'it\'s me'", "password = '••••••••'"),
        ('{"token": "abc", "name": "bob"}', '{"token": "•••", "name": "bob"}'),
        ('password = ""', 'password = ""'),
    ],
)
def test_source_shows_no_literal_of_a_secret(line: str, clean: str) -> None:
    assert redact_source(line) == clean


def test_names_of_attributes_are_text_too() -> None:
    seen = format_attributes([("a\ud800", 1), ("n" * 1000, 2), ("token", 3)])
    assert seen == {r"a\ud800": "1", "n" * 159 + "…": "2", "token": "not shown"}


@pytest.mark.parametrize(
    ("body", "length", "text"),
    [
        (b"", 0, "empty"),
        (b"hello\n", 6, "hello\n"),
        (b"\x89PNG\r\n", 6, "6 bytes"),
        (b"\0\1", 2, "2 bytes"),
        (b"x" * 1000, 5000, "x" * 400 + " … 5000 bytes"),
        (b"x" * 399 + "é".encode(), 401, "x" * 399 + " … 401 bytes"),
    ],
)
def test_bodies(body: bytes, length: int, text: str) -> None:
    assert format_body(body, length) == text
