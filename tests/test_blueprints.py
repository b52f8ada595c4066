"""Blueprints combine prefixes, names and hooks as in Flask, nested or not."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance import wire
from tests.conftest import CORE, FLASK
from tests.examples import examples

prefixes = st.none() | st.sampled_from(["", "/", "/a", "/a/", "a", "/<int:n>", "//x"])
subdomains = st.none() | st.sampled_from(["api", "x", ""])
settings_of_one = st.fixed_dictionaries(
    {"url_prefix": prefixes, "subdomain": subdomains, "defaults": st.booleans()},
    optional={
        "option_prefix": prefixes,
        "option_subdomain": subdomains,
        "option_name": st.sampled_from(["named", "bp0", "a.b"]),
        "option_defaults": st.booleans(),
    },
)
rules = st.sampled_from(["", "/", "/r", "r", "/r/<m>"])


def build(web: Any, chain: list[dict[str, Any]], rule: str) -> Any:
    """Build an app with nested blueprints. Return all of its rules, names and tables."""
    app = web.app(subdomain_matching=True)
    app.config["SERVER_NAME"] = "a.example"
    outer = app
    levels = []
    for number, of in enumerate(chain):
        blueprint = web.Blueprint(
            f"bp{number}", "tests", url_prefix=of["url_prefix"], subdomain=of["subdomain"],
            url_defaults={"d": number} if of["defaults"] else None,
        )  # fmt: skip
        blueprint.add_url_rule(rule, "view", lambda **values: values)
        blueprint.before_request(lambda: None)
        blueprint.register_error_handler(404, lambda error: "")
        options = {key.removeprefix("option_"): value for key, value in of.items() if key.startswith("option_")}
        options = {
            {"prefix": "url_prefix", "defaults": "url_defaults"}.get(key, key): value for key, value in options.items()
        }
        if "url_defaults" in options:
            options["url_defaults"] = {"o": number} if options["url_defaults"] else {}
        levels.append((blueprint, options))
    for (parent, _), (child, options) in reversed(list(pairwise(levels))):
        parent.register_blueprint(child, **options)
    outer.register_blueprint(levels[0][0], **levels[0][1])
    return (
        sorted(
            (r.rule, r.subdomain, r.endpoint, repr(r.defaults), sorted(r.methods)) for r in app.url_map.iter_rules()
        ),
        list(app.blueprints),
        sorted(map(str, app.before_request_funcs)),
        sorted(str(scope) for scope, by_code in app.error_handler_spec.items() if by_code),
        sorted(app.view_functions),
    )


@examples(150)
@given(chain=st.lists(settings_of_one, min_size=1, max_size=3), rule=rules)
def test_prefixes_names_and_tables_are_flasks(chain: list[dict[str, Any]], rule: str):
    def built(web: Any) -> Any:
        try:
            return build(web, chain, rule)
        except (ValueError, LookupError, TypeError, SyntaxError) as e:  # Werkzeug compiles code for a rule
            return type(e).__name__

    assert built(CORE) == built(FLASK)


def test_a_blueprint_can_be_registered_twice_under_two_names(web: Any):
    app, blueprint = web.app(), web.Blueprint("bp", "tests")
    once: list[Any] = []
    blueprint.add_url_rule("/", "index", lambda: web.request.endpoint)
    blueprint.record(lambda state: once.append(("each", state.name)))
    blueprint.record_once(lambda state: once.append(("once", state.name)))
    app.register_blueprint(blueprint, url_prefix="/a")
    app.register_blueprint(blueprint, url_prefix="/b", name="other")
    client = app.test_client()
    assert (client.get("/a/").text, client.get("/b/").text) == ("bp.index", "other.index")
    assert once == [("each", "bp"), ("once", "bp"), ("each", "other")]


@pytest.mark.parametrize("same", [True, False])
def test_a_name_can_be_taken_once(web: Any, same: bool):
    app, blueprint = web.app(), web.Blueprint("bp", "tests")
    app.register_blueprint(blueprint)
    again = blueprint if same else web.Blueprint("bp", "tests")
    with pytest.raises(ValueError, match="'bp' is already registered for " + ("this" if same else "a different")):
        app.register_blueprint(again)


def test_names_and_endpoints_have_no_dots(web: Any):
    for name in ("", "a.b"):
        with pytest.raises(ValueError, match="'name'"):
            web.Blueprint(name, "tests")
    blueprint = web.Blueprint("bp", "tests")
    with pytest.raises(ValueError, match="'endpoint'"):
        blueprint.add_url_rule("/", "a.b", lambda: "")
    with pytest.raises(ValueError, match="itself"):
        blueprint.register_blueprint(blueprint)


def test_a_nested_blueprint_is_registered_with_the_options_that_say_something(web: Any):
    given: list[dict[str, Any]] = []

    class Watching(web.Blueprint):
        def register(self, app: Any, options: dict[str, Any]) -> None:
            given.append(dict(options))
            super().register(app, options)

    parent, app = web.Blueprint("parent", "tests"), web.app()
    parent.register_blueprint(Watching("child", "tests"))
    app.register_blueprint(parent, name="one")
    app.register_blueprint(parent, name="two", url_prefix="/p", subdomain="s")
    assert given == [{"name_prefix": "one"}, {"name_prefix": "two", "url_prefix": "/p", "subdomain": "s"}]


def test_hooks_in_a_table_of_ones_own_count_too(web: Any):
    seen: list[str] = []
    blueprint = web.Blueprint("b", "tests")
    blueprint.before_request_funcs = {None: [lambda: seen.append("before")]}
    blueprint.add_url_rule("/", "index", lambda: "x")
    app = web.app()
    app.register_blueprint(blueprint)
    assert app.test_client().get("/").text == "x"
    assert seen == ["before"]


def test_hooks_of_a_blueprint_are_for_its_requests_and_app_hooks_for_all(web: Any):
    app, blueprint, log = web.app(), web.Blueprint("bp", "tests", url_prefix="/bp"), []

    def noting(name: str) -> Any:
        return lambda *args: log.append(name) or (args[0] if "after" in name else None)

    for hook in ("before_request", "after_request", "teardown_request", "url_value_preprocessor"):
        getattr(blueprint, hook)(noting(hook))
    for hook in ("before_app_request", "after_app_request", "teardown_app_request", "app_url_value_preprocessor"):
        getattr(blueprint, hook)(noting(hook))
    blueprint.add_url_rule("/", "index", lambda: "")
    app.add_url_rule("/", "index", lambda: "")
    app.register_blueprint(blueprint)
    app.test_client().get("/")
    assert log == ["app_url_value_preprocessor", "before_app_request", "after_app_request", "teardown_app_request"]
    log.clear()
    app.test_client().get("/bp/")
    assert log == [
        "app_url_value_preprocessor", "url_value_preprocessor", "before_app_request", "before_request",
        "after_request", "after_app_request", "teardown_request", "teardown_app_request",
    ]  # fmt: skip


def test_templates_and_files_of_a_blueprint_are_found_after_the_apps(web: Any, tmp_path: Any):
    for owner in ("app", "bp"):
        (tmp_path / owner / "templates").mkdir(parents=True)
        (tmp_path / owner / "static").mkdir()
        (tmp_path / owner / "static" / "f.txt").write_text(owner, encoding="utf-8")
        (tmp_path / owner / "templates" / "both.html").write_text(owner, encoding="utf-8")
    (tmp_path / "bp" / "templates" / "own.html").write_text("{{ f(g1) | shout }}{{ 1 is odd1 }}", encoding="utf-8")
    app = web.App("tests", root_path=str(tmp_path / "app"))
    blueprint = web.Blueprint(
        "bp", "tests", root_path=str(tmp_path / "bp"), template_folder="templates", static_folder="static",
        url_prefix="/bp",
    )  # fmt: skip
    blueprint.app_template_filter("shout")(lambda text: text.upper())
    blueprint.app_template_test("odd1")(lambda number: number % 2 == 1)
    blueprint.app_template_global("f")(lambda text: f"<{text}>")
    blueprint.app_context_processor(lambda: {"g1": "x"})
    app.register_blueprint(blueprint)
    with app.app_context():
        assert web.render_template("both.html") == "app"
        assert web.render_template("own.html") == "&lt;X&gt;True"
    client = app.test_client()
    for path, text in (("/static/f.txt", "app"), ("/bp/static/f.txt", "bp")):
        with client.get(path) as response:
            assert response.text == text


def test_url_values_of_the_registration_reach_the_view(web: Any):
    app, blueprint = web.app(), web.Blueprint("bp", "tests", url_defaults={"a": 1})
    blueprint.add_url_rule("/", "index", lambda **values: values, defaults={"b": 2})
    app.register_blueprint(blueprint, url_defaults={"c": 3})
    assert wire.call(app, wire.environ("GET", "/", {}, b"")).body == b'{"a":1,"b":2,"c":3}\n'


def test_errors_of_the_app_can_be_handled_by_a_blueprint(web: Any):
    app, blueprint = web.app(), web.Blueprint("bp", "tests")
    blueprint.app_errorhandler(404)(lambda error: ("from bp", 404))
    app.register_blueprint(blueprint)
    assert app.test_client().get("/nope").text == "from bp"
