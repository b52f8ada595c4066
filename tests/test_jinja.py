"""Templates are searched in the app's folder and then in its blueprints' folders. An error can explain the search."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from jinja2 import TemplateNotFound


@pytest.fixture
def app(web: Any, tmp_path: Path) -> Any:
    for folder, names in (("app", ("both.html",)), ("shop", ("both.html", "list.html"))):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_text(folder, encoding="utf-8")
    made = web.App("templates_of_tests", root_path=str(tmp_path), template_folder="app")
    made.register_blueprint(web.Blueprint("shop", "tests", root_path=str(tmp_path), template_folder="shop"))
    return made


def test_the_apps_template_wins_over_the_blueprints(app: Any):
    assert app.jinja_env.get_template("both.html").render() == "app"
    assert app.jinja_env.get_template("list.html").render() == "shop"


def test_all_names_are_listed_once(app: Any):
    assert sorted(app.jinja_env.list_templates()) == ["both.html", "list.html"]


def test_a_missing_template_is_named(app: Any):
    with pytest.raises(TemplateNotFound, match=r"none\.html"):
        app.jinja_env.get_template("none.html")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("both.html", "Warning: multiple loaders returned a match for the template."),
        ("none.html", "Error: the template could not be found."),
    ],
)
def test_the_search_is_explained_when_asked_for(app: Any, caplog: pytest.LogCaptureFixture, name: str, said: str):
    app.config["EXPLAIN_TEMPLATE_LOADING"] = True
    with caplog.at_level(logging.INFO, logger=app.logger.name):
        try:
            app.jinja_env.get_template(name)
        except TemplateNotFound:
            assert name == "none.html"
    assert said in caplog.text
    assert "application 'templates_of_tests'" in caplog.text
    assert "blueprint 'shop'" in caplog.text
