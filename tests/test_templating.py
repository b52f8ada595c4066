"""Templates: their context, their loaders, and what an app adds to them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from jinja2 import TemplateNotFound

from tests.conftest import checked_client


@pytest.fixture
def site(web: Any, tmp_path: Path) -> Any:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "page.html").write_text(
        "{{ name }} {{ request.path }} {{ g.x }} {{ session.get('a') }}", encoding="utf-8"
    )
    (templates / "note.txt").write_text("{{ name }}", encoding="utf-8")
    (templates / "macro.html").write_text("{% macro hi(n) %}hi {{ n }}{% endmacro %}", encoding="utf-8")
    return web.App("tests", root_path=str(tmp_path), static_folder=None)


def test_a_template_sees_the_request(site: Any, web: Any):
    @site.route("/p")
    def page() -> str:
        web.g.x = "G"
        return str(web.render_template("page.html", name="<n>"))

    assert checked_client(site).get("/p").text == "&lt;n&gt; /p G None"


@pytest.mark.parametrize(("name", "escaped"), [("note.txt", False), ("page.html", True)])
def test_markup_is_escaped_by_the_files_name(site: Any, web: Any, name: str, escaped: bool):
    with site.test_request_context():
        assert ("&lt;" in web.render_template(name, name="<")) is escaped
        assert web.render_template_string("{{ n }}", n="<") == "&lt;"


@pytest.mark.parametrize("name", [None, "a.html", "a.htm", "a.xml", "a.xhtml", "a.svg", "a.txt", "a", "a.HTML"])
def test_which_templates_are_escaped(app: Any, name: str | None):
    expected = name is None or name.endswith((".html", ".htm", ".xml", ".xhtml", ".svg"))
    assert app.select_jinja_autoescape(name) is expected


def test_the_first_template_that_exists_is_taken(site: Any, web: Any):
    with site.app_context():
        assert web.render_template(["none.html", "note.txt"], name="x") == "x"
        with pytest.raises(TemplateNotFound):
            web.render_template("none.html")


def test_context_processors_add_and_the_view_wins(web: Any):
    app, blueprint = web.app(), web.Blueprint("bp", "tests")
    app.context_processor(lambda: {"a": "app", "b": "app", "c": "app"})
    blueprint.context_processor(lambda: {"b": "bp", "c": "bp"})
    blueprint.add_url_rule("/bp", "x", lambda: web.render_template_string("{{ a }} {{ b }} {{ c }}", c="view"))
    app.add_url_rule("/", "x", lambda: web.render_template_string("{{ a }} {{ b }} {{ c }}"))
    app.register_blueprint(blueprint)
    client = app.test_client()
    assert client.get("/bp").text == "app bp view"
    assert client.get("/").text == "app app app"


def test_filters_tests_and_globals_can_be_added(web: Any):
    app = web.app()

    @app.template_filter("loud")
    def shout(text: str) -> str:
        return text.upper()

    @app.template_test()
    def odd_one(number: int) -> bool:
        return number % 2 == 1

    @app.template_global()
    def twice(number: int) -> int:
        return number * 2

    with app.app_context():
        text = web.render_template_string("{{ 'a'|loud }} {{ 1 is odd_one }} {{ twice(3) }} {{ config.TESTING }}")
    assert text == "A True 6 False"


def test_url_for_and_json_work_in_templates(web: Any):
    app = web.app()
    app.add_url_rule("/x", "x", lambda: web.render_template_string("{{ url_for('x') }} {{ {'a': '<'}|tojson }}"))
    assert app.test_client().get("/x").text == '/x {"a": "\\u003c"}'


def test_templates_can_be_streamed_with_the_context(site: Any, web: Any):
    site.add_url_rule("/s", "s", lambda: web.stream_template_string("{{ request.path }}{{ name }}", name="n"))
    site.add_url_rule("/f", "f", lambda: web.stream_template("note.txt", name="n"))
    client = checked_client(site)
    assert client.get("/s").text == "/sn"
    assert client.get("/f").text == "n"
    with site.app_context():
        assert "".join(web.stream_template_string("{{ 1 }}")) == "1"


def test_rendering_is_signalled_before_and_after(site: Any, web: Any):
    seen: list[Any] = []

    def listen(sender: Any, template: Any, context: dict[str, Any]) -> None:
        seen.append((template.name, context["name"]))

    for signal in (web.before_render_template, web.template_rendered):
        signal.connect(listen, site)
    with site.app_context():
        web.render_template("note.txt", name="n")
        list(web.stream_template("note.txt", name="s"))
    assert seen == [("note.txt", "n")] * 2 + [("note.txt", "s")] * 2


def test_macros_can_be_taken_out(site: Any, web: Any):
    with site.app_context():
        assert web.get_template_attribute("macro.html", "hi")("Ann") == "hi Ann"


def test_loading_can_be_explained(site: Any, web: Any, caplog: pytest.LogCaptureFixture):
    site.config["EXPLAIN_TEMPLATE_LOADING"] = True
    site.register_blueprint(web.Blueprint("bp", "tests", root_path=site.root_path, template_folder="templates"))
    logging.getLogger("tests").disabled = False
    with caplog.at_level(logging.INFO, logger="tests"), site.app_context():
        web.render_template("note.txt")
        with pytest.raises(TemplateNotFound):
            web.render_template("none.html")
    assert "trying loader of application 'tests'" in caplog.text
    assert "blueprint 'bp'" in caplog.text
    assert "multiple loaders returned a match" in caplog.text
    assert "the template could not be found" in caplog.text


def test_all_templates_are_listed(site: Any):
    assert sorted(site.jinja_env.list_templates()) == ["macro.html", "note.txt", "page.html"]


@pytest.mark.parametrize(
    ("debug", "option", "reload"), [(False, None, False), (True, None, True), (True, False, False)]
)
def test_templates_are_reloaded_in_debug_mode(app: Any, debug: bool, option: bool | None, reload: bool):
    app.config["TEMPLATES_AUTO_RELOAD"] = option
    app.debug = debug
    assert app.jinja_env.auto_reload is reload


def test_jinja_options_are_the_apps(web: Any):
    class Own(web.App):
        jinja_options = {"variable_start_string": "%%", "variable_end_string": "%%"}

    with Own("tests").app_context():
        assert web.render_template_string("%% 1 + 1 %%") == "2"
