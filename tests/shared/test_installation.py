"""One variable determines the installation command in every message."""

from __future__ import annotations

import pytest

from wsgi_core.shared import installation


@pytest.mark.parametrize(("published", "command"), [(False, '".[flask]"'), (True, '"wsgi_core[flask]"')])
def test_the_command_follows_the_variable(monkeypatch: pytest.MonkeyPatch, published: bool, command: str):
    monkeypatch.setattr(installation, "PUBLISHED", published)
    assert command in installation.install_command("flask")
