"""The pages for people say what runs here and need nothing from elsewhere, on each framework."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import flask_equiv.service
from tests.drawings import ONE
from wsgi_core import service
from wsgi_core.inference import default_models_dir

PAGES = ["/", "/demo/digits", "/demo/sentiment", "/demo/churn"]


@pytest.fixture(params=["wsgi_core", "flask"])
def client(request: pytest.FixtureRequest, services: dict[str, Any]) -> Any:
    return services[request.param].test_client()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_its_own_files_alone(client: Any, path: str):
    page = client.get(path)
    assert page.mimetype == "text/html"
    assert page.headers["Content-Security-Policy"] == "default-src 'self'; frame-ancestors 'none'"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert 'name="viewport"' in page.text
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert named
    assert all(address.startswith("/") and not address.startswith("//") for address in named)
    for address in named:
        response = client.get(address)
        assert response.status_code == 200, address
        response.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_finds_its_files_where_the_app_is_mounted(client: Any, path: str):
    text = client.get(path, base_url="http://localhost/app").text
    assert all(address.startswith("/app/") for address in re.findall(r'(?:src|href|data-address)="([^"]+)"', text))


def test_the_start_page_lists_models_and_routes_under_their_headings(client: Any):
    text = client.get("/").text
    headings = ("Predictions", "Open Inference Protocol", "Operation", "Pages")
    places = [text.index(f"<h3>{heading}</h3>") for heading in headings]
    assert places == sorted(places)
    for said in (
        "churn/1",
        "/v2/models/churn/versions/1",
        "/v2/models/&lt;name&gt;/infer",
        "/metrics",
        "/docs",
        "/demo/digits",
    ):
        assert said in text


def test_the_churn_page_has_an_input_for_each_feature(client: Any):
    model = client.application.extensions["models"].get("churn")
    text = client.get("/demo/churn").text
    for feature in model.card.features:
        assert f'name="{feature.name}"' in text
        assert feature.description in text


def test_a_drawing_is_recognised(client: Any):
    response = client.post("/digits", json={"drawing": ONE})
    assert response.status_code == 200
    assert response.json["digit"] == 1


@pytest.mark.parametrize(
    ("payload", "status"), [({}, 400), ([], 400), ({"drawing": 1}, 422), ({"drawing": [[0]]}, 422)]
)
def test_what_is_no_drawing_is_refused(client: Any, payload: Any, status: int):
    response = client.post("/digits", json=payload)
    assert response.status_code == status
    assert response.json["error"]


@pytest.mark.parametrize("create_app", [service.create_app, flask_equiv.service.create_app], ids=["wsgi_core", "flask"])
def test_without_a_model_its_demo_is_not_there(create_app: Any, tmp_path: Path):
    shutil.copytree(default_models_dir() / "identity", tmp_path / "identity")
    client = create_app(tmp_path).test_client()
    for path in PAGES[1:]:
        assert client.get(path).status_code == 404
    assert client.post("/digits", json={"drawing": ONE}).status_code == 404
    text = client.get("/").text
    assert "identity/1" in text
    assert "<strong>Draw a digit" not in text
    assert client.get("/openapi.json").status_code == 200


@pytest.mark.parametrize("create_app", [service.create_app, flask_equiv.service.create_app], ids=["wsgi_core", "flask"])
def test_no_page_leads_to_a_demo_that_is_not_there(create_app: Any, tmp_path: Path):
    shutil.copytree(default_models_dir() / "churn", tmp_path / "churn")
    client = create_app(tmp_path).test_client()
    for path in ("/demo/churn", "/docs"):
        assert re.findall(r'href="/demo/(\w+)"', client.get(path).text) == ["churn"]


@pytest.mark.parametrize("create_app", [service.create_app, flask_equiv.service.create_app], ids=["wsgi_core", "flask"])
def test_a_model_of_another_kind_has_no_demo(create_app: Any, tmp_path: Path):
    for name in ("digits", "sentiment", "churn"):
        shutil.copytree(default_models_dir() / "identity" / "1", tmp_path / name / "1")
    client = create_app(tmp_path).test_client()
    for path in PAGES[1:]:
        assert client.get(path).status_code == 404
    assert client.post("/digits", json={"drawing": ONE}).status_code == 400
    for path in ("/", "/openapi.json"):
        assert client.get(path).status_code == 200
