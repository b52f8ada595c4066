"""Fixtures: both twins with models that have no card, in process and behind `wsgi-core serve`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flask_equiv.service
from tests.oip import write_repository
from tests.processes import Server
from wsgi_core import service
from wsgi_core.shared.settings import Settings


@pytest.fixture(scope="session")
def oip_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a model for each datatype."""
    return write_repository(tmp_path_factory.mktemp("oip"))


@pytest.fixture(scope="session")
def oip_services(oip_models: Path) -> dict[str, Any]:
    """Both services with this repository, in process. Models may be loaded and unloaded."""
    settings = Settings(models=oip_models, model_control=True)
    return {name: module.create_app(settings=settings) for name, module in _MODULES.items()}


@pytest.fixture(scope="session")
def oip_servers(oip_models: Path) -> Iterator[dict[str, Server]]:
    """Both services with this repository, each behind `wsgi-core serve` in its own process."""
    command = ("-m", "wsgi_core", "serve", "--port", "0", "--models", str(oip_models), "--model-control", "--framework")
    with Server(*command, "wsgi_core") as core, Server(*command, "flask") as twin:
        yield {"wsgi_core": core.ready(), "flask": twin.ready()}


@pytest.fixture(params=["wsgi_core", "flask"])
def oip_server(request: pytest.FixtureRequest, oip_servers: dict[str, Server]) -> Server:
    """Each of the two servers in turn."""
    return oip_servers[request.param]


_MODULES = {"wsgi_core": service, "flask": flask_equiv.service}
