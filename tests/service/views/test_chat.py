"""/rag-chat answers from the documentation, on each framework, with and without a language model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import flask_equiv.service
from tests.shared.retrieval.test_endpoint import ANSWER, chat_server, says, sends
from wsgi_core import service
from wsgi_core.shared.settings import Settings


@pytest.fixture(autouse=True)
def _nothing_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WSGI_CORE_CACHE", str(tmp_path))


@pytest.fixture(params=[service, flask_equiv.service], ids=["wsgi_core", "flask"])
def module(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_an_answer_quotes_the_documentation(module: Any):
    client = module.create_app().test_client()
    answer = client.post("/rag-chat", json={"query": "How do I serve it on Windows?"}).json
    assert answer.keys() == {"query", "context_used", "answer", "usage"}
    sources = {passage["source"] for passage in answer["context_used"]}
    for quote in answer["answer"].splitlines():
        found = re.fullmatch(r'".+" \(([^,)]+)(, .+)?\)', quote)
        assert found
        assert found[1] in sources
    for payload in ({}, {"query": ""}, {"query": 1}, []):
        response = client.post("/rag-chat", json=payload)
        assert response.status_code == 422
        assert len(response.json["fields"]) == 1


def test_an_endpoint_from_the_settings_writes_the_answer(module: Any):
    with chat_server(says(ANSWER)) as (url, got):
        client = module.create_app(settings=Settings(chat_url=url, chat_model="small")).test_client()
        answer = client.post("/rag-chat", json={"query": "How do I serve it?"}).json
    assert answer["answer"] == "Run it [1]."
    assert answer["usage"]["generator"] == "small"
    assert len(got) == 1


def test_an_endpoint_that_fails_costs_no_answer(module: Any):
    with chat_server(sends(b"{}", 503)) as (url, _):
        client = module.create_app(settings=Settings(chat_url=url)).test_client()
        response = client.post("/rag-chat", json={"query": "How do I serve it?"})
    assert response.status_code == 200
    assert response.json["usage"]["fallback"] == "the endpoint responded with 503"
    assert response.json["context_used"][0]["source"] in response.json["answer"]
