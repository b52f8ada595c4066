"""The URL map: the dictionary of static paths finds the same rules as Werkzeug's matcher. `url_for` equals Flask's."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

import pytest
import werkzeug
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import BuildError, RequestRedirect, Rule, WebsocketMismatch
from werkzeug.sansio.utils import get_host
from werkzeug.test import create_environ, run_wsgi_app

from tests.conformance import wire
from tests.conftest import CORE, FLASK
from tests.environs import latin1, outcome
from tests.examples import examples
from wsgi_core.routing import Map, _is_plain_host

# The dictionary of static paths and the matcher

RULES = [
    "/", "/a", "/a/", "/a/b", "/a/b/", "/a//b", "//", "/a//", "/<x>", "/<x>/", "/<int:x>", "/<path:x>", "/a/<x>",
    "/<x>/b", "/<path:x>/b", "/é", "/a b", "/a%20b", "/a|b", "/a.b", "/A", "/<string(length=1):x>", "/<any(a,b):x>",
]  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "OPTIONS", "PUT"]
PATHS = sorted(
    {re.sub("<.*?>", "a", rule) for rule in RULES}
    | {"", "//a", "/a//", "/a/b//", "///", "/1", "/b", "/c", "/a/c", "/\xc3\xa9", "/a/../a", "/A", "/a\n", "/|/a"}
)


def find_static(url_map: Map, path: str, method: str) -> Rule | None:
    """Return the rule from the dictionary of static paths, or None."""
    return url_map.static_rules.get(path, {}).get(method)


rule_arguments = st.fixed_dictionaries(
    {
        "string": st.sampled_from(["/", "/a", "/a/", "/<x>"]) | st.sampled_from(RULES),
        "endpoint": st.sampled_from(["one", "two"]),
        "methods": st.none() | st.lists(st.sampled_from(METHODS), min_size=1, max_size=2),
    },
    optional={
        "defaults": st.sampled_from([{"x": "a"}, {"y": 1}, {}]),
        "strict_slashes": st.booleans(),
        "merge_slashes": st.booleans(),
        "subdomain": st.sampled_from(["", "api", "<sub>"]),
        "build_only": st.just(True),
        "alias": st.just(True),
        "redirect_to": st.sampled_from(["/b", "b"]),
        "websocket": st.just(True),
    },
)
map_arguments = st.fixed_dictionaries(
    {},
    optional={
        "strict_slashes": st.booleans(),
        "merge_slashes": st.booleans(),
        "redirect_defaults": st.booleans(),
        "default_subdomain": st.sampled_from(["", "api"]),
    },
)


def make_map(rules: list[dict[str, Any]], options: dict[str, Any], kind: Any = Map) -> Any:
    """Return a map of the rules, without rules that Werkzeug itself rejects."""
    made = kind(**options)
    for arguments in rules:
        try:
            made.add(Rule(**arguments))
        except (ValueError, TypeError, LookupError, SyntaxError):
            continue
    return made


@examples(300)
@given(rules=st.lists(rule_arguments, min_size=1, max_size=6), options=map_arguments)
@example([{"string": "/a", "endpoint": "one", "methods": ["GET"]}] * 2, {})
@example([{"string": "/a", "endpoint": "one", "methods": ["GET"]}, {"string": "/<x>", "endpoint": "one",
          "methods": ["GET"], "defaults": {"x": "a"}}], {})  # fmt: skip
@example([{"string": rule, "endpoint": endpoint, "methods": ["GET"]}
          for rule, endpoint in (("/b", "one"), ("/a", "two"), ("/a", "one"))], {})  # fmt: skip
def test_a_plain_path_is_found_as_the_matcher_finds_it(rules: list[dict[str, Any]], options: dict[str, Any]):
    url_map = make_map(rules, options)
    if url_map.default_subdomain:  # an app with a default subdomain does not use the dictionary
        return
    adapter = url_map.bind("a.example", subdomain="")
    for path in PATHS:
        for method in METHODS:
            found = find_static(url_map, path, method)
            if found is not None:
                assert adapter.match(path, method, return_rule=True) == (found, {})


@examples(200)
@given(rules=st.lists(rule_arguments, min_size=1, max_size=6), options=map_arguments)
@example([{"string": "/a/b", "endpoint": "one", "methods": ["GET"], "merge_slashes": False}], {})
def test_the_map_matches_as_werkzeugs(rules: list[dict[str, Any]], options: dict[str, Any]):
    core, twin = (
        make_map(rules, options, kind).bind("a.example", subdomain="") for kind in (Map, werkzeug.routing.Map)
    )
    for path in (*PATHS, "/a//b", "/a/b//", "/missing", "/missing//path"):
        for method in METHODS:
            assert str(outcome(core.match, path, method)) == str(outcome(twin.match, path, method))


@examples(50)
@given(
    rules=st.lists(st.lists(st.text("ABCDEF", min_size=1, max_size=3), min_size=1, max_size=6), min_size=1, max_size=4)
)
def test_the_allowed_methods_are_in_werkzeugs_order(rules: list[list[str]]):
    """In a set, the order depends on the hash seed, and on how often methods were added."""
    arguments = [{"string": "/a", "endpoint": str(number), "methods": methods} for number, methods in enumerate(rules)]
    for path in ("/a", "//a"):
        core, twin = (
            list(make_map(arguments, {}, kind).bind("a.example").allowed_methods(path))
            for kind in (Map, werkzeug.routing.Map)
        )
        assert core == twin


def test_an_unknown_path_without_slashes_to_merge_is_matched_once():
    class Counting(dict[str, Any]):
        looked_up = 0

        def __contains__(self, part: object) -> bool:
            self.looked_up += 1
            return super().__contains__(part)

    url_map = make_map([{"string": "/a", "endpoint": "a"}], {})
    for path, tries in (("/b", 1), ("/b//c", 2)):
        counting = url_map._matcher._root.static = Counting(url_map._matcher._root.static)
        with pytest.raises(NotFound):
            url_map.bind("a.example").match(path)
        assert counting.looked_up == tries


@examples(100)
@given(rules=st.lists(rule_arguments, max_size=3), late=rule_arguments)
def test_a_rule_added_late_counts(rules: list[dict[str, Any]], late: dict[str, Any]):
    url_map = make_map(rules, {})
    find_static(url_map, "/a", "GET")
    try:
        url_map.add(Rule(**late))
    except (ValueError, TypeError, LookupError, SyntaxError):
        return
    adapter = url_map.bind("a.example", subdomain="")
    for path in PATHS:
        found = find_static(url_map, path, "GET")
        if found is not None:
            assert adapter.match(path, "GET", return_rule=True) == (found, {})


def test_plain_paths_are_in_the_dictionary():
    url_map = make_map([{"string": rule, "endpoint": "one", "methods": ["GET"]} for rule in ("/", "/a", "/a/b/")], {})
    for path in ("/", "/a", "/a/b/"):
        assert find_static(url_map, path, "GET") is not None
        assert find_static(url_map, path, "HEAD") is not None
        assert find_static(url_map, path, "POST") is None
    assert find_static(url_map, "/a/b", "GET") is None


def test_a_method_that_two_endpoints_allow_is_left_to_the_matcher():
    rules = [{"string": "/a", "endpoint": method, "methods": [method, "OPTIONS"]} for method in ("GET", "POST")]
    url_map = make_map(rules, {})
    assert [str(find_static(url_map, "/a", method).endpoint) for method in ("GET", "HEAD", "POST")] == [
        "GET", "GET", "POST",
    ]  # fmt: skip
    assert find_static(url_map, "/a", "OPTIONS") is None


# Hosts: only a host that Werkzeug uses unchanged needs no adapter

names = st.lists(st.from_regex(r"[a-zA-Z0-9-]{1,63}", fullmatch=True), min_size=1, max_size=4).map(".".join)
addresses = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(lambda address: f"[{address}]")
ports = st.just("") | st.integers(1, 65535).map(lambda port: f":{port}")
plain_hosts = st.builds(str.__add__, names | addresses | st.just("localhost"), ports)
PLAIN = [
    "a", "a.example", "A.example:80", "127.0.0.1", "127.0.0.1:8080", "127.0.0.1:45555", "localhost:65535", "x-y",
    "a:443", "[::1]", "[::1]:8080", "[::1]:45555", "[::ffff:127.0.0.1]:443", "[2001:DB8::1]:80", "x" * 63,
]  # fmt: skip
WERKZEUG = tuple(map(int, version("werkzeug").split(".")[:3]))
OTHERS = [
    "", "a..b", ".a", "a b", "\xe9", "a:", "a:b", "a:0", "a:080", "a:65536", "a:123456", "a:1:2", "a/b", "a@b",
    "x" * 64, "a\n", "a_b", "*", "[", "[]", "[::1", "::1", "[::1]:", "[::1]x", "[g::1]", "[" + "a" * 63 + ":1]",
]  # fmt: skip


def takes_as_it_is(host: str) -> bool:
    """Return whether Werkzeug makes an adapter for ``host`` whose server name is ``host`` in lower case."""
    environ = {"HTTP_HOST": host, "wsgi.url_scheme": "ftp", "REQUEST_METHOD": "GET"}
    try:
        adapter = werkzeug.routing.Map().bind_to_environ(environ, subdomain="")
    except HTTPException:
        return False
    return host != "" and adapter.server_name == host.lower()


@given(host=plain_hosts)
def test_a_host_takes_the_fast_path_whatever_its_port(host: str):
    app = CORE.app()
    app.add_url_rule("/a", "a", lambda: "here")
    environ = wire.environ("GET", "/a", {}, b"") | {"HTTP_HOST": host}
    assert app.find_static_rule(CORE.Request(environ)) is not None
    assert takes_as_it_is(host)


@pytest.mark.parametrize("host", PLAIN)
def test_plain_hosts_need_no_check(host: str):
    assert _is_plain_host(host)
    assert takes_as_it_is(host)


@pytest.mark.parametrize("host", OTHERS)
def test_any_other_host_is_left_to_werkzeug(host: str):
    assert _is_plain_host(host) == takes_as_it_is(host)
    # Werkzeug 3.1.8 and older accept more hosts.
    assert not takes_as_it_is(host) or WERKZEUG < (3, 1, 9)


@given(host=plain_hosts | st.sampled_from(OTHERS) | st.text("abcAZ09-.:_[]@/ \xe9", max_size=12) | latin1)
def test_a_plain_host_is_one_that_werkzeug_takes_as_it_is(host: str):
    assert _is_plain_host(host) == takes_as_it_is(host)


@given(host=plain_hosts, scheme=st.sampled_from(["http", "https"]), root=st.sampled_from(["", "/app"]))
def test_an_adapter_without_checks_is_the_one_that_werkzeug_makes(host: str, scheme: str, root: str):
    variables = {"HTTP_HOST": host, "wsgi.url_scheme": scheme, "SCRIPT_NAME": root, "QUERY_STRING": "q=1"}
    environ = wire.environ("GET", "/a/\xc3\xa9", {}, b"") | variables
    url_map = Map()
    assert vars(url_map.bind_plain(environ)) == vars(url_map.bind_to_environ(environ, subdomain=""))


# Requests to an app, on both frameworks

app_options = st.fixed_dictionaries({}, optional={"host_matching": st.booleans(), "subdomain_matching": st.booleans()})
configs = st.fixed_dictionaries(
    {},
    optional={
        "SERVER_NAME": st.sampled_from(["a.example", "a.example:80", "localhost"]),
        "TRUSTED_HOSTS": st.sampled_from([["a.example"], [".example"], []]),
        "PROVIDE_AUTOMATIC_OPTIONS": st.booleans(),
        "DEBUG": st.booleans(),
        "APPLICATION_ROOT": st.just("/root"),
    },
)
requests = st.fixed_dictionaries(
    {
        "REQUEST_METHOD": st.sampled_from([*METHODS, "get", "Post", "BREW"]),
        "PATH_INFO": st.sampled_from(["/", "/a", "/a/", "/a/b"]) | st.sampled_from(PATHS),
    },
    optional={
        "HTTP_HOST": st.sampled_from(
            [
                "a.example",
                "A.Example:80",
                "api.a.example",
                "b.test",
                "b.test:",
                "[::1]:80",
                "a b",
                "",
                "a.example:443",
                "a.example:45555",
                "[::1]:45555",
                "é",
            ]
        ),
        "SERVER_NAME": st.just("b.test"),
        "QUERY_STRING": st.sampled_from(["", "q=1"]),
        "SCRIPT_NAME": st.sampled_from(["", "/app"]),
        "wsgi.url_scheme": st.sampled_from(["http", "https", "ws"]),
        "HTTP_UPGRADE": st.sampled_from(["websocket", "WebSocket", "h2c"]),
        "HTTP_CONNECTION": st.sampled_from(["upgrade", "keep-alive, Upgrade", "close"]),
    },
)


def routed_app(web: Any, rules: list[dict[str, Any]], options: dict[str, Any], config: dict[str, Any]) -> Any:
    """Return an app whose views return the matched rule and its values."""
    app = web.app(**options)
    app.config.update(config)
    for number, arguments in enumerate(rules):
        arguments = {key: value for key, value in arguments.items() if key != "endpoint"}

        def view(number: int = number, **values: Any) -> Any:
            request = web.request
            built = outcome(web.url_for, request.endpoint, **values)
            external = outcome(web.url_for, request.endpoint, **values, _external=True)
            return {
                "number": number, "rule": request.url_rule.rule, "values": repr(values), "host": request.host,
                "url": request.url, "built": built, "external": external,
            }  # fmt: skip

        try:
            app.add_url_rule(arguments.pop("string"), f"view{number}", view, **arguments)
        except (ValueError, TypeError, LookupError, SyntaxError):
            continue
    return app


def call(app: Any, variables: dict[str, Any]) -> wire.Answer:
    """Return an app's response to a simple request with some variables of the environ replaced."""
    return wire.call(app, wire.environ("GET", "/", {}, b"") | variables).comparable()


@examples(300)
@given(
    rules=st.lists(rule_arguments, min_size=1, max_size=5),
    options=app_options,
    config=configs,
    asked=st.lists(requests, min_size=1, max_size=4),
)
@pytest.mark.filterwarnings("ignore:Current server name")
def test_requests_are_routed_as_flask_routes_them(
    rules: list[dict[str, Any]], options: dict[str, Any], config: dict[str, Any], asked: list[dict[str, Any]]
):
    apps = [routed_app(web, rules, options, config) for web in (CORE, FLASK)]
    for variables in asked:
        core, twin = (outcome(call, app, variables) for app in apps)
        assert core == twin


# What an app may change after its creation, and what a subclass may change


def test_hosts_that_a_request_class_trusts_are_the_only_ones(web: Any):
    class Careful(web.Request):
        trusted_hosts = ["a.example"]

    app = web.app()
    app.request_class = Careful
    app.add_url_rule("/", "index", lambda: "here")
    client = app.test_client()
    assert client.get("/", headers={"Host": "a.example"}).status_code == 200
    assert client.get("/", headers={"Host": "evil.test"}).status_code == 400


def test_trusted_hosts_are_the_only_ones(web: Any):
    app = web.app()
    app.config["TRUSTED_HOSTS"] = ["a.example", ".b.example"]
    app.add_url_rule("/", "index", lambda: "here")
    client = app.test_client()
    for host, status in (("a.example", 200), ("x.b.example", 200), ("c.example", 400), ("a.example.evil", 400)):
        assert client.get("/", headers={"Host": host}).status_code == status


def test_the_map_may_be_replaced(web: Any):
    app = web.app()
    app.url_map = werkzeug.routing.Map()
    app.add_url_rule("/", "index", lambda: "here")
    assert app.test_client().get("/").text == "here"


@pytest.mark.parametrize(("attribute", "value"), [("default_subdomain", "www"), ("host_matching", True)])
def test_the_map_may_be_changed_after_the_app_was_made(web: Any, attribute: str, value: Any):
    app = web.app()
    app.add_url_rule("/", "early", lambda: "early")
    setattr(app.url_map, attribute, value)
    assert app.test_client().get("/").status_code == 404


def test_a_subclass_may_make_its_own_adapter(web: Any):
    class Prefixed(web.App):
        def create_url_adapter(self, request: Any) -> Any:
            adapter = super().create_url_adapter(request)
            if adapter is not None:
                adapter.path_info = adapter.path_info.removeprefix("/v1")
            return adapter

    app = Prefixed("tests", static_folder=None)
    app.add_url_rule("/x", "index", lambda: "here")
    app.add_url_rule("/v1/x", "other", lambda: "wrong")
    assert app.test_client().get("/v1/x").text == "here"


def test_a_rule_class_of_ones_own_is_used(app: Any, web: Any):
    class Own(Rule):
        pass

    app.url_rule_class = Own
    app.add_url_rule("/", "index", lambda: type(web.request.url_rule).__name__)
    assert app.test_client().get("/").text == "Own"


def test_a_converter_of_ones_own_is_used(app: Any, web: Any):
    class ListConverter(werkzeug.routing.BaseConverter):
        def to_python(self, value: str) -> list[str]:
            return value.split(",")

        def to_url(self, value: list[str]) -> str:
            return ",".join(super(ListConverter, self).to_url(item) for item in value)

    app.url_map.converters["list"] = ListConverter
    app.add_url_rule("/<list:items>", "index", lambda items: web.url_for("index", items=[*items, "c"]))
    assert app.test_client().get("/a,b").text == "/a,b,c"


# Methods


def test_head_and_options_are_answered_without_a_view_for_them(app: Any):
    app.add_url_rule("/", "index", lambda: "body", methods=["GET", "POST"])
    client = app.test_client()
    head = client.head("/")
    assert (head.status_code, head.data, head.content_length) == (200, b"", 4)
    options = client.options("/")
    assert (options.status_code, options.data) == (200, b"")
    assert sorted(options.allow) == ["GET", "HEAD", "OPTIONS", "POST"]


def test_the_wrong_method_is_405_with_allow(app: Any):
    app.add_url_rule("/", "index", lambda: "body")
    response = app.test_client().post("/")
    assert response.status_code == 405
    assert sorted(response.allow) == ["GET", "HEAD", "OPTIONS"]


def test_options_can_be_the_views_own(app: Any):
    app.add_url_rule("/own", "own", lambda: "mine", methods=["OPTIONS"])
    app.add_url_rule("/none", "none", lambda: "mine", provide_automatic_options=False)
    client = app.test_client()
    assert client.options("/own").text == "mine"
    assert client.options("/none").status_code == 405


def test_automatic_options_can_be_switched_off(app: Any):
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.add_url_rule("/", "index", lambda: "body")
    assert app.test_client().options("/").status_code == 405


def test_methods_of_the_view_function_count(app: Any):
    def view() -> str:
        return "body"

    view.methods = ["post"]  # type: ignore[attr-defined]
    view.required_methods = ["PATCH"]  # type: ignore[attr-defined]
    app.add_url_rule("/", "index", view)
    assert sorted(app.test_client().options("/").allow) == ["OPTIONS", "PATCH", "POST"]


def test_methods_as_one_string_are_refused(app: Any):
    with pytest.raises(TypeError, match="list of strings"):
        app.add_url_rule("/", "index", lambda: "", methods="GET")


def test_an_endpoint_has_one_view(app: Any):
    app.add_url_rule("/", "index", lambda: "one")
    with pytest.raises(AssertionError, match="overwriting an existing endpoint function: index"):
        app.add_url_rule("/two", "index", lambda: "two")


# Redirects


@pytest.mark.parametrize(
    ("path", "location"), [("/a", "http://localhost/a/"), ("/a?q=1", "http://localhost/a/?q=1"), ("/b//c", "http://localhost/b/c")]
)  # fmt: skip
def test_the_canonical_url_is_redirected_to(app: Any, path: str, location: str):
    app.add_url_rule("/a/", "a", lambda: "a")
    app.add_url_rule("/b/c", "c", lambda: "c")
    response = app.test_client().get(path)
    assert response.status_code == 308
    assert response.location == location


def test_in_debug_mode_a_redirect_that_loses_a_form_is_explained(app: Any):
    """A redirect with 308 keeps the body. Another code loses it, and the error says so."""
    app.debug = True
    app.add_url_rule("/a/", "a", lambda: "a", methods=["POST"])
    with app.test_request_context("/a", method="POST") as context:
        with pytest.raises(RequestRedirect):
            app.dispatch_request()
        context.request.routing_exception.code = 301
        with pytest.raises(AssertionError, match="canonical URL 'http://localhost/a/'"):
            app.dispatch_request()


# url_for


@pytest.fixture
def site(app: Any) -> Any:
    app.add_url_rule("/", "index", lambda: "")
    app.add_url_rule("/user/<name>", "user", lambda name: "")
    app.add_url_rule("/item", "item", lambda: "", methods=["GET"])
    app.add_url_rule("/item/new", "item", methods=["POST"])
    return app


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        ({"endpoint": "index"}, "/"),
        ({"endpoint": "index", "q": "a b&c"}, "/?q=a+b%26c"),
        ({"endpoint": "index", "q": ["a", "b"], "none": None}, "/?q=a&q=b"),
        ({"endpoint": "user", "name": "é ü"}, "/user/%C3%A9%20%C3%BC"),
        ({"endpoint": "index", "_anchor": "a b#é'"}, "/#a%20b#%C3%A9'"),
        ({"endpoint": "item", "_method": "POST"}, "/item/new"),
        ({"endpoint": "index", "_external": True}, "http://localhost/"),
        ({"endpoint": "index", "_scheme": "https"}, "https://localhost/"),
        ({"endpoint": "index", "_scheme": "", "_external": True}, "//localhost/"),
    ],
)
def test_urls_in_a_request(site: Any, web: Any, arguments: dict[str, Any], url: str):
    arguments = dict(arguments)
    with site.test_request_context("/item"):
        assert web.url_for(arguments.pop("endpoint"), **arguments) == url


def test_a_scheme_without_external_is_refused(site: Any, web: Any):
    with site.test_request_context(), pytest.raises(ValueError, match="_external"):
        web.url_for("index", _scheme="https", _external=False)


def test_outside_a_request_urls_need_server_name_and_are_external(site: Any, web: Any):
    with site.app_context(), pytest.raises(RuntimeError, match="SERVER_NAME"):
        web.url_for("index")
    site.config.update(SERVER_NAME="a.example", APPLICATION_ROOT="/app", PREFERRED_URL_SCHEME="https")
    with site.app_context():
        assert web.url_for("index") == "https://a.example/app/"
        assert web.url_for("index", _external=False) == "/app/"


def test_a_leading_dot_means_the_current_blueprint(web: Any):
    app, outer, inner = web.app(), web.Blueprint("outer", "tests"), web.Blueprint("inner", "tests")
    for owner, prefix in ((app, ""), (outer, "/outer"), (inner, "/inner")):
        owner.add_url_rule(f"{prefix}/here", "here", lambda: web.url_for(".there"))
        owner.add_url_rule(f"{prefix}/there", "there", lambda: "")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    client = app.test_client()
    for prefix in ("", "/outer", "/inner"):
        assert client.get(f"{prefix}/here").text == f"{prefix}/there"


def test_an_unknown_endpoint_is_a_build_error(site: Any, web: Any):
    with site.test_request_context(), pytest.raises(BuildError, match="'nobody'"):
        web.url_for("nobody")


def test_build_error_handlers_are_asked_in_turn(site: Any, web: Any):
    asked: list[Any] = []

    def first(error: BuildError, endpoint: str, values: dict[str, Any]) -> None:
        asked.append((endpoint, values))
        raise BuildError("other", {}, None)

    site.url_build_error_handlers += [first, lambda error, endpoint, values: None, lambda *args: "/found"]
    with site.test_request_context():
        assert web.url_for("nobody", a=1, _anchor="x") == "/found"
    assert asked == [("nobody", {"a": 1, "_anchor": "x", "_method": None, "_scheme": None, "_external": False})]


def test_url_defaults_fill_in_from_the_app_inwards(web: Any):
    app, blueprint = web.app(), web.Blueprint("shop", "tests", url_prefix="/<lang>")
    calls: list[str] = []

    @app.url_defaults
    def app_defaults(endpoint: str, values: dict[str, Any]) -> None:
        calls.append("app")
        values.setdefault("lang", "de")

    @blueprint.url_defaults
    def blueprint_defaults(endpoint: str, values: dict[str, Any]) -> None:
        calls.append("blueprint")
        values["lang"] += "-at"

    blueprint.add_url_rule("/", "index", lambda lang: "")
    app.register_blueprint(blueprint)
    with app.test_request_context():
        assert web.url_for("shop.index") == "/de-at/"
    assert calls == ["app", "blueprint"]


def test_matching_errors_wait_for_the_dispatch(app: Any, web: Any):
    """A ``before_request`` function runs for an unknown path, too, and may return a response."""
    seen: list[Any] = []

    @app.before_request
    def before() -> Any:
        seen.append((web.request.url_rule, type(web.request.routing_exception).__name__))
        return "instead" if web.request.path == "/instead" else None

    client = app.test_client()
    assert client.get("/nope").status_code == 404
    assert client.get("/instead").text == "instead"
    assert seen == [(None, "NotFound")] * 2


def test_websocket_rules_answer_websockets_alone(app: Any):
    app.add_url_rule("/socket", "socket", lambda: "socket", websocket=True)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    client = app.test_client()
    assert client.get("/socket").status_code == 400
    assert client.get("/socket", headers=upgrade).text == "socket"
    assert issubclass(WebsocketMismatch, HTTPException)


@pytest.mark.parametrize("host", ["x:", "x:0", "x:00080", "x:99999999"])
def test_a_host_with_a_bad_port_is_no_host(web: Any, host: str):
    app = web.app()
    app.add_url_rule("/b", "b", lambda: web.url_for("b", _external=True))
    answer, _, _ = run_wsgi_app(app, create_environ("/b", headers={"Host": host}))
    assert b"".join(answer).decode() == f"http://{get_host('http', host)}/b"
