"""The OpenAPI description is served as JSON and as a page, with and without Swagger UI, on each framework."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import SecretStr

import flask_equiv.service
from wsgi_core import service
from wsgi_core.shared.installation import install_command
from wsgi_core.shared.openapi import ui
from wsgi_core.shared.settings import Settings


@pytest.fixture(params=["wsgi_core", "flask"])
def client(request: pytest.FixtureRequest, services: dict[str, Any]) -> Any:
    return services[request.param].test_client()


def test_the_description_is_valid(client: Any):
    response = client.get("/openapi.json")
    assert response.mimetype == "application/json"
    OpenAPIV31SpecValidator(response.json).validate()


def test_the_description_tells_where_the_app_is_mounted(client: Any):
    assert client.get("/openapi.json", base_url="http://localhost/app").json["servers"] == [{"url": "/app"}]


@pytest.mark.parametrize("create_app", [service.create_app, flask_equiv.service.create_app], ids=["wsgi_core", "flask"])
def test_the_description_tells_of_the_key(create_app: Any):
    key = "a key of sixteen or more"
    client = create_app(settings=Settings(api_key=SecretStr(key))).test_client()
    assert client.get("/openapi.json").status_code == 401
    described = client.get("/openapi.json", headers={"X-API-Key": key}).json
    assert described["components"]["securitySchemes"]["key"]["name"] == "X-API-Key"
    assert "security" in described["paths"]["/predict"]["post"]
    assert "security" not in described["paths"]["/webhooks/{source}"]["post"]


def test_the_page_needs_nothing_from_elsewhere(client: Any):
    page = client.get("/docs")
    assert page.mimetype == "text/html"
    assert "//" not in page.text.replace("<!doctype html>", "")
    for name in ui.FILES:
        assert f'"/docs/{name}"' in page.text
        response = client.get(f"/docs/{name}")
        assert response.status_code == 200
        response.close()


@pytest.mark.parametrize("name", ["", "x", "index.html", "../__init__.py", "%2e%2e/__init__.py", "LICENSE"])
def test_no_other_file_is_served(client: Any, name: str):
    response = client.get(f"/docs/{name}")
    assert response.status_code == 404
    assert response.json["error"]


def test_without_the_files_the_page_says_what_to_install(client: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("wsgi_core.service.views.docs.ui_folder", lambda: None)
    monkeypatch.setattr("flask_equiv.service.views.docs.ui_folder", lambda: None)
    page = client.get("/docs")
    assert page.status_code == 200
    assert install_command("ui") in unescape(page.text)
    assert "/openapi.json" in page.text
    assert client.get("/docs/swagger-ui.css").status_code == 404
