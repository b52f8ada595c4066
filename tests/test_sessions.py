"""The session: opened lazily or at once, it has the same visible effects as Flask's."""

from __future__ import annotations

import json
import uuid
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import flask.json.tag
import flask.sessions
import pytest
import werkzeug
from hypothesis import example, given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner
from markupsafe import Markup

import wsgi_core.sessions
from tests.conformance import wire
from tests.conftest import CORE, FLASK
from tests.environs import outcome
from tests.examples import examples

MODULES = {repr(CORE): wsgi_core.sessions, repr(FLASK): flask.sessions}

# Operations on a session and their visible effects, on both frameworks

STEPS = {
    "read": lambda session: session.get("a"),
    "contains": lambda session: "a" in session,
    "set": lambda session: session.__setitem__("a", 1),
    "set tuple": lambda session: session.__setitem__("t", (1, b"x")),
    "delete": lambda session: session.pop("a", None),
    "clear": lambda session: session.clear(),
    "inside": lambda session: session.setdefault("list", []).append(1),
    "modified": lambda session: setattr(session, "modified", True),
    "permanent": lambda session: setattr(session, "permanent", True),
    "not permanent": lambda session: setattr(session, "permanent", False),
    "accessed": lambda session: session.accessed,
    "new": lambda session: session.new,
    "bool": bool,
    "nothing": None,
}
KEYS = [None, "", "k", "other"]
configs = st.fixed_dictionaries(
    {"SECRET_KEY": st.sampled_from(KEYS + ["k"] * 6)},
    optional={
        "SECRET_KEY_FALLBACKS": st.sampled_from([None, [], ["other"], ("other", "third")]),
        "SESSION_COOKIE_NAME": st.sampled_from(["session", "s"]),
        "SESSION_COOKIE_DOMAIN": st.sampled_from([None, "a.example"]),
        "SESSION_COOKIE_PATH": st.sampled_from([None, "/x"]),
        "APPLICATION_ROOT": st.sampled_from(["/", "/app"]),
        "SESSION_COOKIE_HTTPONLY": st.booleans(),
        "SESSION_COOKIE_SECURE": st.booleans(),
        "SESSION_COOKIE_PARTITIONED": st.booleans(),
        "SESSION_COOKIE_SAMESITE": st.sampled_from([None, "Lax", "Strict"]),
        "SESSION_REFRESH_EACH_REQUEST": st.booleans(),
        "PERMANENT_SESSION_LIFETIME": st.sampled_from([0, 1000, timedelta(days=1)]),
    },
)
INTERFACES = ("plain", "saves always", "sets always", "own class", "own salt", "none", "own open")


def interface(web: Any, kind: str) -> Any:
    """Return a session interface that differs from the default one in one method or attribute."""
    module: Any = MODULES[repr(web)]
    base = module.SecureCookieSessionInterface

    class WithDefault(module.SecureCookieSession):  # type: ignore[name-defined]
        def __init__(self, initial: Any = None) -> None:
            super().__init__(initial or {"theme": "dark"})
            self.modified = initial is None

    def save_always(self: Any, app: Any, session: Any, response: Any) -> None:
        response.headers["X-Saved"] = repr(dict(session))
        base.save_session(self, app, session, response)

    def open_own(self: Any, app: Any, request: Any) -> Any:
        request.opened = True
        return base.open_session(self, app, request)

    attributes: dict[str, dict[str, Any]] = {
        "plain": {},
        "saves always": {"save_session": save_always},
        "sets always": {"should_set_cookie": lambda self, app, session: True},
        "own class": {"session_class": WithDefault},
        "own salt": {"salt": "mine", "key_derivation": "django-concat"},
        "none": {"get_signing_serializer": lambda self, app: None},
        "own open": {"open_session": open_own},
    }
    return type("Own", (base,), attributes[kind])()


def answers(web: Any, config: dict[str, Any], kind: str, requests: list[list[str]], spot: str) -> list[Any]:
    """Return the responses to several requests of one client, which keeps its cookies."""
    app = web.app()
    app.config.update(config)
    app.session_interface = interface(web, kind)
    plan: list[str] = []

    def work() -> Any:
        seen = []
        for step in plan:
            function = STEPS[step]
            if function is not None:
                seen.append(str(outcome(function, web.session)).partition(": ")[0])
        return repr(seen)

    @app.before_request
    def before() -> None:
        if spot == "before":
            work()

    @app.after_request
    def after(response: Any) -> Any:
        if spot == "after":
            response.set_data(work())
        return response

    @app.route("/x")
    def view() -> Any:
        return work() if spot == "view" else "view"

    client = app.test_client()
    seen = []
    for plan[:] in requests:
        response = client.get("/x", base_url="https://a.example/")
        headers = [(name, "(cookie)" if name == "Set-Cookie" else value) for name, value in response.headers]
        cookies = sorted(
            (cookie.key, cookie.path, cookie.domain, cookie.secure, cookie.http_only, cookie.same_site,
             cookie.expires is None)
            for cookie in client._cookies.values()
        )  # fmt: skip
        content = outcome(lambda app=app, client=client: contents(app, client))
        seen.append((response.status, headers, response.data, cookies, content))
    return seen


def contents(app: Any, client: Any) -> Any:
    """Return the contents of the client's session cookie."""
    name = app.config["SESSION_COOKIE_NAME"]
    values = [cookie.value for cookie in client._cookies.values() if cookie.key == name]
    return [app.session_interface.get_signing_serializer(app).loads(value) for value in values]


@examples(250)
@given(
    config=configs,
    kind=st.sampled_from(INTERFACES),
    requests=st.lists(st.lists(st.sampled_from(sorted(STEPS)), max_size=3), min_size=1, max_size=3),
    spot=st.sampled_from(["view", "before", "after"]),
)
@example({"SECRET_KEY": "k"}, "plain", [["set"], [], ["read"], ["clear"], []], "view")
@example({"SECRET_KEY": "k"}, "plain", [["permanent"], [], ["read"]], "view")
@example({"SECRET_KEY": "k"}, "saves always", [[]], "view")
@example({"SECRET_KEY": "k"}, "own class", [[]], "view")
@example({"SECRET_KEY": None}, "plain", [["read"], ["set"]], "view")
def test_sessions_leave_the_traces_of_flasks(config: dict[str, Any], kind: str, requests: list[list[str]], spot: str):
    # A session with a lifetime of 0 ends with the second that it was signed in.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TimestampSigner, "get_timestamp", lambda self: 1_700_000_000)
        core, twin = (answers(web, config, kind, requests, spot) for web in (CORE, FLASK))
    assert core == twin


@given(cookie=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40))
@example("eyJhIjoxfQ.Z.x")
@example("....")
def test_a_forged_cookie_is_an_empty_session(cookie: str):
    for web in (CORE, FLASK):
        app = web.app()
        app.secret_key = "k"
        app.add_url_rule("/", "index", lambda web=web: repr(dict(web.session)))
        environ = wire.environ("GET", "/", {"Cookie": f"session={cookie}"}, b"")
        assert wire.call(app, environ).body == b"{}"


def test_each_reads_the_others_cookie():
    cookies = {}
    for web in (CORE, FLASK):
        app = web.app()
        app.secret_key = "k"
        cookies[web] = app.session_interface.get_signing_serializer(app).dumps({"a": (1, b"x", Markup("<b>"))})
    for web, other in ((CORE, FLASK), (FLASK, CORE)):
        app = web.app()
        app.secret_key = "k"
        app.add_url_rule("/", "index", lambda web=web: repr(dict(web.session)))
        client = app.test_client()
        client.set_cookie("session", cookies[other])
        assert client.get("/").text == "{'a': (1, b'x', Markup('<b>'))}"


def test_an_expired_cookie_is_an_empty_session(web: Any, monkeypatch: pytest.MonkeyPatch):
    app = web.app()
    app.config.update(SECRET_KEY="k", PERMANENT_SESSION_LIFETIME=60)
    app.add_url_rule("/", "index", lambda: repr(dict(web.session)))
    client = app.test_client()
    with client.session_transaction() as session:
        session["a"] = 1
    assert client.get("/").text == "{'a': 1}"
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: datetime.now(UTC).timestamp() + 100)
    assert client.get("/").text == "{}"


def test_an_old_key_still_reads(app: Any, web: Any):
    app.add_url_rule("/", "index", lambda: repr(dict(web.session)))
    client = app.test_client()
    app.secret_key = "old"
    with client.session_transaction() as session:
        session["a"] = 1
    app.secret_key = "new"
    assert client.get("/").text == "{}"
    app.config["SECRET_KEY_FALLBACKS"] = ["old"]
    assert client.get("/").text == "{'a': 1}"


def test_a_new_key_signs_the_next_session(app: Any, web: Any):
    app.add_url_rule("/", "index", lambda: web.session.update(a=1) or "")
    cookies = []
    for app.secret_key in ("old", "new", "old"):
        cookies.append(app.test_client().get("/").headers["Set-Cookie"].partition(";")[0].rpartition("."))
    first, second, third = ((payload.rpartition(".")[0], signature) for payload, _, signature in cookies)
    assert first[0] == second[0] == third[0]
    assert first[1] != second[1] != third[1]


@pytest.mark.parametrize("changed", ["", "=", "===", "\n", "spare bits", "end"])
def test_a_signature_in_another_spelling_is_read_as_flask_reads_it(changed: str):
    texts = []
    for web in (CORE, FLASK):
        app = web.app()
        app.secret_key = "k"
        cookie = app.session_interface.get_signing_serializer(app).dumps({"a": 1})
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        # 20 bytes are 27 letters and leave two bits of the last one unused.
        spelled = {"spare bits": cookie[:-1] + letters[letters.index(cookie[-1]) ^ 1], "end": cookie[:-1]}
        serializer = app.session_interface.get_signing_serializer(app)
        texts.append(outcome(serializer.loads, spelled.get(changed, cookie + changed)))
    assert texts[0] == texts[1]
    assert ("{'a': 1}" in texts[0]) == (changed not in {"\n", "end"})


cookie_configs = st.fixed_dictionaries(
    {},
    optional={
        "SESSION_COOKIE_NAME": st.sampled_from(["session", "a.b-c_d", "é", "a b", 'a"', "a\r\nb: c"]),
        "SESSION_COOKIE_DOMAIN": st.sampled_from([None, "a.example", ".ü.example:80", ""]),
        "SESSION_COOKIE_PATH": st.sampled_from([None, "/x", "/a b;c\r\n", "/é%20"]),
        "SESSION_COOKIE_HTTPONLY": st.sampled_from([True, False, 1, 0]),
        "SESSION_COOKIE_SECURE": st.sampled_from([True, False, 1, None]),
        "SESSION_COOKIE_PARTITIONED": st.booleans(),
        "SESSION_COOKIE_SAMESITE": st.sampled_from([None, "lax", "None", "wrong"]),
        "MAX_COOKIE_SIZE": st.sampled_from([None, 0, 80, 120, 4093]),
    },
)


@examples(200)
@given(config=cookie_configs, value=st.text(max_size=60), own=st.sampled_from(["", "class", "response"]))
@example({"MAX_COOKIE_SIZE": 80}, "long" * 10, "")
@example({"MAX_COOKIE_SIZE": None}, "a", "")
@example({"SESSION_COOKIE_HTTPONLY": 1}, "a", "")
@example({"SESSION_COOKIE_NAME": "a\r\nb: c"}, "a", "")
@example({}, "a", "class")
@example({}, "a", "response")
def test_the_set_cookie_header_is_flasks(config: dict[str, Any], value: str, own: str):
    def header(web: Any) -> Any:
        class OwnResponse(web.Response):  # type: ignore[misc, name-defined]
            def set_cookie(self, key: str, value: str = "", **attributes: Any) -> None:  # type: ignore[override]
                super().set_cookie(key, value, **{**attributes, "max_age": 60, "expires": 0})

        app = web.app()
        app.config.update(config, SECRET_KEY="k", PROPAGATE_EXCEPTIONS=True)
        app.response_class = OwnResponse if own == "class" else web.Response
        with app.test_request_context(), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            web.session["a"] = value
            response = app.response_class("a")
            if own == "response":
                response.set_cookie = lambda *arguments, **attributes: response.headers.add(
                    "X-Set", str(len(attributes))
                )
            response = app.process_response(response)
            return list(response.headers), [str(warning.message) for warning in warned]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TimestampSigner, "get_timestamp", lambda self: 1_700_000_000)
        assert outcome(header, CORE) == outcome(header, FLASK)


def test_a_set_cookie_put_into_werkzeugs_class_is_called(app: Any, web: Any, monkeypatch: pytest.MonkeyPatch):
    set_cookie: Any = werkzeug.Response.set_cookie
    calls: list[str] = []

    def counting(self: Any, key: str, *arguments: Any, **attributes: Any) -> None:
        calls.append(key)
        set_cookie(self, key, *arguments, **attributes)

    monkeypatch.setattr(werkzeug.Response, "set_cookie", counting)
    app.secret_key = "k"
    app.add_url_rule("/", "index", lambda: web.session.update(a=1) or "")
    app.test_client().get("/")
    assert calls == ["session"]


def test_a_serializer_without_a_hash_signs(app: Any, web: Any):
    @dataclass
    class Serializer:
        before: str = "1"

        def dumps(self, value: Any) -> str:
            return self.before + json.dumps(value)

        def loads(self, text: str) -> Any:
            return json.loads(text.removeprefix(self.before))

    class Interface(MODULES[repr(web)].SecureCookieSessionInterface):  # type: ignore[misc, name-defined]
        serializer = Serializer()

    app.secret_key = "k"
    app.session_interface = Interface()
    app.add_url_rule("/", "index", lambda: web.session.setdefault("a", "b"))
    client = app.test_client()
    assert [client.get("/").text for _ in range(2)] == ["b", "b"]


def test_a_cookie_without_a_signature_needs_no_key(web: Any):
    class Interface(MODULES[repr(web)].SecureCookieSessionInterface):  # type: ignore[misc, name-defined]
        key_derivation = "unknown"

    app = web.app()
    app.secret_key = "k"
    app.session_interface = Interface()
    with app.test_request_context(headers={"Cookie": "session=x"}):
        assert dict(web.session) == {}


def test_without_a_key_the_session_reads_as_empty_and_refuses_to_be_written(web: Any):
    with web.app().test_request_context():
        assert dict(web.session) == {}
        for write in (
            lambda: web.session.__setitem__("a", 1), lambda: web.session.pop("a"), lambda: web.session.clear(),
            lambda: web.session.update(a=1), lambda: web.session.setdefault("a", 1),
        ):  # fmt: skip
            with pytest.raises(RuntimeError, match="secret key"):
                write()


def test_the_session_is_opened_before_the_url_is_matched(web: Any):
    seen: list[Any] = []

    class Interface(MODULES[repr(web)].SessionInterface):  # type: ignore[misc, name-defined]
        def open_session(self, app: Any, request: Any) -> Any:
            seen.append((web.request.path, web.request.url_rule))
            return None

    app = web.app()
    app.session_interface = Interface()
    app.add_url_rule("/x", "index", lambda: web.session.__class__.__name__)
    assert app.test_client().get("/x").text == "NullSession"
    assert seen == [("/x", None)]


# Tagged JSON

values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5), st.binary(max_size=5),
        st.uuids(), st.text(max_size=5).map(Markup),
        st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)).map(
            lambda value: value.replace(microsecond=0)
        ),
    ),
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.lists(children, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3) | st.sampled_from([" t", " di", " b", " u", "__"]), children, max_size=2),
    ),
    max_leaves=8,
)  # fmt: skip


@given(value=values)
@example({" t": [1]})
@example({" di": {" di": 1}})
@example({" t": 1})
@example({" t": 1, "a": 2})
def test_tagged_json_is_flasks_and_comes_back(value: Any):
    core, twin = wsgi_core.sessions.TaggedJSONSerializer(), flask.json.tag.TaggedJSONSerializer()
    text = core.dumps(value)
    assert text == twin.dumps(value)
    assert core.loads(text) == value == twin.loads(text)


def test_tags_can_be_added_once_at_a_place():
    serializer = wsgi_core.sessions.TaggedJSONSerializer()

    class TagComplex(wsgi_core.sessions.JSONTag):
        key = " c"

        def check(self, value: Any) -> bool:
            return isinstance(value, complex)

        def to_json(self, value: Any) -> Any:
            return [value.real, value.imag]

        def to_python(self, value: Any) -> Any:
            return complex(*value)

    serializer.register(TagComplex, index=0)
    assert isinstance(serializer.order[0], TagComplex)
    assert serializer.loads(serializer.dumps({"z": [1j]})) == {"z": [1j]}
    with pytest.raises(KeyError, match="already registered"):
        serializer.register(TagComplex)
    serializer.register(TagComplex, force=True)
    assert serializer.loads(serializer.dumps(uuid.UUID(int=5))) == uuid.UUID(int=5)


def test_a_session_interface_with_null_sessions_of_its_own_is_asked_early(web: Any):
    asked: list[str] = []

    interface_class: Any = type(web.App.session_interface)

    class Own(interface_class):
        def make_null_session(self, app: Any) -> Any:
            asked.append("null")
            return super().make_null_session(app)

    app = web.app()
    app.session_interface = Own()
    app.add_url_rule("/", "index", lambda: "")
    app.test_client().get("/")
    assert asked == ["null"]


def test_a_tag_that_is_added_may_be_for_plain_text():
    def tagged(module: Any) -> str:
        class TagText(module.JSONTag):
            key = " s"

            def check(self, value: Any) -> bool:
                return isinstance(value, str)

            def to_json(self, value: Any) -> Any:
                return value.upper()

        serializer = module.TaggedJSONSerializer()
        serializer.register(TagText)
        return serializer.dumps({"a": "b", "c": [1, None, True, 0.5]})

    class Own(wsgi_core.sessions.TaggedJSONSerializer):
        default_tags = [*wsgi_core.sessions.TaggedJSONSerializer.default_tags]

    assert tagged(wsgi_core.sessions) == tagged(flask.json.tag) == '{"a":{" s":"B"},"c":[1,null,true,0.5]}'
    assert Own().dumps(["a", 1]) == '["a",1]'


def test_a_tag_put_among_the_default_tags_counts():
    def tagged(module: Any) -> str:
        class TagShout(module.JSONTag):  # type: ignore[misc, name-defined]
            key = " s"

            def check(self, value: Any) -> bool:
                return value == {"a": 1} or value == "b"

            def to_json(self, value: Any) -> str:
                return str(value).upper()

        tags = module.TaggedJSONSerializer.default_tags
        tags.insert(0, TagShout)
        try:
            return module.TaggedJSONSerializer().dumps([{"a": 1}, "b", {"a": 2}])
        finally:
            tags.remove(TagShout)

    assert tagged(wsgi_core.sessions) == tagged(flask.json.tag)
