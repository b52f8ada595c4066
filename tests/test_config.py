"""The configuration: the sources of its values, and which names are accepted."""

from __future__ import annotations

import json
import os
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wsgi_core


def test_the_defaults_are_flasks():
    assert dict(wsgi_core.App.default_config) == dict(flask.Flask.default_config)
    assert dict(wsgi_core.App("tests").config) == dict(flask.Flask("tests").config)


class Values:
    """An object for ``from_object``."""

    UPPER = 1
    lower = 2
    MiXed = 3


@pytest.mark.parametrize("source", [Values, Values(), "tests.test_config.Values", "tests.test_config:Values"])
def test_from_object_takes_capitals_alone(web: Any, source: Any):
    config = web.Config("")
    config.from_object(source)
    assert config == {"UPPER": 1}


def test_from_mapping_takes_capitals_alone(web: Any):
    config = web.Config("")
    assert config.from_mapping({"A": 1, "b": 2}, C=3, d=4) is True
    assert config == {"A": 1, "C": 3}


def test_from_pyfile_runs_a_file_below_the_root_path(web: Any, tmp_path: Path):
    (tmp_path / "c.py").write_text("A = 'é'\nb = 2\nFILE = __file__\n", encoding="utf-8")
    config = web.Config(tmp_path)
    assert config.from_pyfile("c.py") is True
    assert config == {"A": "é", "FILE": str(tmp_path / "c.py")}


def test_from_file_reads_with_any_loader(web: Any, tmp_path: Path):
    (tmp_path / "c.json").write_text('{"A": "é", "b": 2}', encoding="utf-8")
    (tmp_path / "c.toml").write_text('B = "é"\n', encoding="utf-8")
    config = web.Config(str(tmp_path))
    assert config.from_file("c.json", json.load) is True
    assert config.from_file("c.toml", tomllib.load, text=False) is True
    assert config == {"A": "é", "B": "é"}


def test_a_missing_file_is_an_error_unless_silent(web: Any, tmp_path: Path):
    config = web.Config(tmp_path)
    for read in (
        lambda **how: config.from_pyfile("no.py", **how),
        lambda **how: config.from_file("no", json.load, **how),
    ):
        with pytest.raises(OSError, match="Unable to load configuration file"):
            read()
        assert read(silent=True) is False


def test_from_envvar_names_the_file(web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "c.py").write_text("A = 1", encoding="utf-8")
    config = web.Config("")
    with pytest.raises(RuntimeError, match="'TESTS_FILE' is not set"):
        config.from_envvar("TESTS_FILE")
    assert config.from_envvar("TESTS_FILE", silent=True) is False
    monkeypatch.setenv("TESTS_FILE", str(tmp_path / "c.py"))
    assert config.from_envvar("TESTS_FILE") is True
    assert config == {"A": 1}


names = st.sampled_from(["A", "B", "A__b", "A__b__c", "D__E", "A__", "__A", "x", "A_B"])
values = st.sampled_from(["1", "true", '"t"', "text", "[1]", '{"b": 2}', "", "NaN", "{"])


@given(variables=st.dictionaries(names, values, max_size=4), prefix=st.sampled_from(["FLASK", "TESTS", "X_Y"]))
def test_prefixed_variables_are_read_as_flask_reads_them(variables: dict[str, str], prefix: str):
    def read(config_class: Any) -> Any:
        config = config_class("", {"D": {"kept": 1}})
        with pytest.MonkeyPatch.context() as patch:
            for name in list(os.environ):
                if name.startswith(prefix):
                    patch.delenv(name)
            for name, value in variables.items():
                patch.setenv(f"{prefix}_{name}", value)
            try:
                config.from_prefixed_env(prefix)
            except (TypeError, AttributeError):
                return "a value stands where a mapping must"
        return repr(config)

    assert read(wsgi_core.Config) == read(flask.Config)


def test_a_namespace_is_keywords_for_somebody_else(web: Any):
    config = web.Config("", {"MAIL_HOST": "h", "MAIL_Port": 1, "OTHER": 2})
    assert config.get_namespace("MAIL_") == {"host": "h", "port": 1}
    assert config.get_namespace("MAIL_", lowercase=False) == {"HOST": "h", "Port": 1}
    assert config.get_namespace("MAIL_", trim_namespace=False) == {"mail_host": "h", "mail_port": 1}


def test_attributes_of_the_app_are_keys(app: Any):
    app.secret_key, app.testing, app.debug = "k", True, True
    assert (app.config["SECRET_KEY"], app.config["TESTING"], app.config["DEBUG"]) == ("k", True, True)
    for seconds in (60, 60.5, timedelta(seconds=60)):
        app.config["PERMANENT_SESSION_LIFETIME"] = seconds
        assert int(app.permanent_session_lifetime.total_seconds()) == 60


def test_the_configuration_may_stand_in_the_instance_folder(web: Any, tmp_path: Path):
    app = web.App("tests", instance_path=str(tmp_path), instance_relative_config=True)
    assert app.config.root_path == str(tmp_path)
    assert repr(app.config).startswith("<Config {")


def test_a_configuration_class_of_ones_own_is_used(web: Any):
    class Own(web.Config):
        pass

    app_class = type("Own", (web.App,), {"config_class": Own})
    assert isinstance(app_class("tests").config, Own)
