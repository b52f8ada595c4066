"""docs/limits.md agrees with the settings."""

from __future__ import annotations

from tests.docs.limits import page
from tests.processes import ROOT
from wsgi_core.shared.settings import Settings


def test_the_page_is_current():
    """If it fails, run ``python -m tests.docs.limits > docs/limits.md``."""
    assert (ROOT / "docs" / "limits.md").read_text(encoding="utf-8") == page()


def test_every_setting_that_is_a_limit_by_its_name_says_what_one_gets():
    for name, field in Settings.model_fields.items():
        if name.startswith("max_") or name.endswith("_max_content_length"):
            assert isinstance(field.json_schema_extra, dict)
            assert field.json_schema_extra["response"], name


def test_a_secret_is_shown_as_a_variable_and_not_as_an_option():
    assert "`WSGI_CORE_API_KEY`" in page()
    assert "--api-key" not in page()
