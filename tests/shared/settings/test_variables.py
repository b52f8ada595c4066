"""Settings that are passed to another process as environment variables arrive unchanged, and without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgi_core.shared.settings.sources import load_settings
from wsgi_core.shared.settings.variables import SecretGiven, as_variables

OPTIONS = {
    "port": "81",
    "access_log": True,
    "cors_origins": "https://a.example.org,https://b.example.org",
    "stop_pause": "7.5",
}


def test_what_was_given_comes_back():
    loaded = load_settings(OPTIONS, environ={})
    variables = as_variables(loaded)
    assert variables["WSGI_CORE_ACCESS_LOG"] == "true"
    assert len(variables) == len(OPTIONS), "a default needs no variable"
    assert load_settings(environ=variables).settings == loaded.settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "wsgi-core.toml"
    made.write_text("threads = 3\n", encoding="utf-8")
    return made


def test_a_file_is_named_where_it_is_and_written_out_where_it_is_not(file: Path):
    loaded = load_settings(config=file, environ={})
    assert as_variables(loaded) == {"WSGI_CORE_CONFIG": str(file.absolute())}
    assert as_variables(loaded, has_files=False) == {"WSGI_CORE_THREADS": "3"}


def test_a_secret_is_refused_where_others_can_read_it(file: Path):
    file.write_text('api_key = "sixteen characters"\n', encoding="utf-8")
    loaded = load_settings(config=file, environ={})
    with pytest.raises(SecretGiven, match="api_key"):
        as_variables(loaded, has_files=False)
