"""The reference has exactly the public names."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

import wsgi_core
import wsgi_core.inference
import wsgi_core.trace
from tests.docs.blocks import ROOT

DIRECTIVE = re.compile(r"^\.\. (?:auto\w+|py:data):: (\w+)$", re.MULTILINE)


@pytest.mark.parametrize("module", [wsgi_core, wsgi_core.inference, wsgi_core.trace], ids=lambda each: each.__name__)
def test_every_public_name_is_described(module: ModuleType):
    page = ROOT / "docs" / "reference" / f"{module.__name__.split('.')[-1]}.md"
    assert set(DIRECTIVE.findall(page.read_text(encoding="utf-8"))) == public_names(module)


def public_names(module: ModuleType) -> set[str]:
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    return {name for name in names if not isinstance(getattr(module, name), ModuleType)}
