"""The schema of the settings is frozen, rejects unknown names, and every default is valid."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from wsgi_core.shared.settings import Settings


def test_every_setting_says_what_it_is():
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_the_defaults_fit_their_own_rules():
    given = {name: value for name, value in Settings().model_dump().items() if value is not None}
    assert Settings.model_validate(given) == Settings()


def test_an_unknown_setting_is_refused():
    with pytest.raises(ValidationError, match="prot"):
        Settings.model_validate({"prot": 80})


def test_settings_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize("path", ["up", "", "/a b", "/é", "//\n"])
def test_a_path_of_the_servers_own_begins_with_a_slash(path: str):
    with pytest.raises(ValidationError, match="health_path"):
        Settings(app="x", health_path=path)


@pytest.mark.parametrize("processes", [0, -1, "many", 1.5])
def test_the_number_of_processes_is_a_count_or_auto(processes: object):
    with pytest.raises(ValidationError, match="processes"):
        Settings.model_validate({"processes": processes})
