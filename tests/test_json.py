"""JSON: the provider's fast paths have the same results as the standard library and Flask's provider."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import io
import json
import uuid
from typing import Any

import flask
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

import wsgi_core
from tests.environs import outcome


@dataclasses.dataclass
class Point:
    """A dataclass to serialize."""

    x: int
    y: Any


SPECIAL: list[Any] = [
    datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC), datetime.date(2026, 11, 21), decimal.Decimal("1.10"),
    uuid.UUID(int=7), Point(1, decimal.Decimal(2)), Markup("<b>"), object(), {1, 2}, b"bytes", Point,
]  # fmt: skip
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.sampled_from(SPECIAL))
objects = st.recursive(
    leaves,
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.lists(children, max_size=2).map(tuple),
        st.dictionaries(st.text(max_size=4) | st.integers(0, 9) | st.none(), children, max_size=3),
    ),
    max_leaves=8,
)
options = st.fixed_dictionaries(
    {},
    optional={
        "indent": st.sampled_from([None, 0, 2, "\t"]),
        "separators": st.sampled_from([None, (",", ":"), [",", ":"], (", ", " = ")]),
        "sort_keys": st.booleans(),
        "ensure_ascii": st.booleans(),
        "allow_nan": st.booleans(),
        "skipkeys": st.booleans(),
        "check_circular": st.booleans(),
        "default": st.sampled_from([None, str, repr]),
        "cls": st.sampled_from([None, json.JSONEncoder]),
        "nonsense": st.just(1),
    },
)
core_app, flask_app = wsgi_core.App("tests", static_folder=None), flask.Flask("tests", static_folder=None)


def normal(result: Any) -> Any:
    """Return the result without the address in an object's repr."""
    return result.split(" at 0x")[0] if isinstance(result, str) else result


@given(value=objects, options=options)
@example({"b": 1, "a": float("nan")}, {"separators": (",", ":")})
def test_dumps_writes_what_flasks_writes(value: Any, options: dict[str, Any]):
    core = outcome(core_app.json.dumps, value, **options)
    assert normal(core) == normal(outcome(flask_app.json.dumps, value, **options))


@given(value=objects, debug=st.booleans(), compact=st.sampled_from([None, True, False]))
def test_responses_are_flasks(value: Any, debug: bool, compact: bool | None):
    def made(app: Any) -> Any:
        app.debug, app.json.compact = debug, compact
        try:
            response = app.json.response(value)
            return response.status, list(response.headers), response.data
        except TypeError as e:
            return normal(f"{e}")
        finally:
            app.debug, app.json.compact = False, None

    with core_app.app_context(), flask_app.app_context():
        assert made(core_app) == made(flask_app)


texts = st.one_of(
    st.binary(max_size=20),
    objects.map(lambda value: json.dumps(value, default=str).encode()),
    objects.map(lambda value: json.dumps(value, default=str).encode("utf-16")),
    objects.map(lambda value: json.dumps(value, default=str).encode("utf-16-le")),
    objects.map(lambda value: json.dumps(value, default=str, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    objects.map(lambda value: b"\xef\xbb\xbf" + json.dumps(value, default=str).encode()),
    objects.map(lambda value: json.dumps(value, default=str).encode("utf-32-le")),
    st.tuples(objects, st.binary(max_size=3)).map(lambda drawn: json.dumps(drawn[0], default=str).encode() + drawn[1]),
    st.text(max_size=8),
)


@given(text=texts)
@example(b"")
@example(b"{")
@example(b"[]x")
@example(b"[] ")
@example(b"{\0}\0")
@example(b"[" * 100_000)
def test_loads_reads_what_flasks_reads(text: Any):
    assert outcome(core_app.json.loads, text) == outcome(flask_app.json.loads, text)
    assert outcome(wsgi_core.json.loads, text) == outcome(json.loads, text)


def test_the_body_of_a_request_is_read_as_flask_reads_it(web: Any):
    app = web.app()
    app.add_url_rule("/", "index", lambda: repr(web.request.get_json()), methods=["POST"])
    client = app.test_client()
    for body, text in ((b'{"a": [1.5, NaN]}', "{'a': [1.5, nan]}"), (b"[1]\n", "[1]"), (b'"\xc3\xa9"', "'é'")):
        assert client.post("/", data=body, content_type="application/json").text == text


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [((), {}, "null"), (({"b": 1, "a": 2},), {}, '{"a":2,"b":1}'), ((1, 2), {}, "[1,2]"), ((), {"a": 1}, '{"a":1}')],
)
def test_jsonify_takes_one_several_or_keywords(web: Any, args: Any, kwargs: Any, text: str):
    with web.app().app_context():
        response = web.jsonify(*args, **kwargs)
    assert response.get_data(as_text=True) == text + "\n"
    assert response.mimetype == "application/json"


def test_jsonify_takes_no_mixture(web: Any):
    with web.app().app_context(), pytest.raises(TypeError, match="either args or kwargs"):
        web.jsonify(1, a=1)


def test_a_providers_own_functions_are_used_everywhere(web: Any):
    module = flask.json.provider if web.module is flask else wsgi_core.json

    class Provider(module.DefaultJSONProvider):  # type: ignore[name-defined, misc]
        sort_keys = False
        mimetype = "application/x+json"

        def default(self, o: Any) -> Any:
            return f"own {o}"

        def loads(self, s: Any, **kwargs: Any) -> Any:
            return ["read", super().loads(s, **kwargs)]

    app = web.app()
    app.json = Provider(app)
    app.add_url_rule("/", "index", lambda: {"b": 1 + 1j, "a": web.request.get_json()}, methods=["POST"])
    response = app.test_client().post("/", json=5)
    assert response.text == '{"b":"own (1+1j)","a":["read",5]}\n'
    assert response.mimetype == "application/x+json"
    assert response.json == ["read", {"b": "own (1+1j)", "a": ["read", 5]}]


def test_the_module_works_without_an_app(web: Any):
    module = web.json
    assert module.loads(module.dumps({"d": decimal.Decimal("1.5")})) == {"d": "1.5"}
    stream = io.StringIO()
    module.dump([1], stream)
    assert module.load(io.StringIO(stream.getvalue())) == [1]


def test_a_changed_option_is_not_taken_from_an_earlier_call():
    app = wsgi_core.App("tests", static_folder=None)
    assert app.json.dumps({"b": 1, "a": 2}) == '{"a": 2, "b": 1}'
    app.json.sort_keys = False  # type: ignore[attr-defined]
    assert app.json.dumps({"b": 1, "a": 2}) == '{"b": 1, "a": 2}'
