"""The async view returns the results of all sources, on each framework."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("name", ["wsgi_core", "flask"])
def test_every_source_is_in_the_answer(name: str, services: dict[str, Any]):
    service = services[name]
    response = service.test_client().get("/async-data")
    assert response.status_code == 200
    models = service.extensions["models"].models
    assert response.json.keys() == {"index", *(model.id for model in models)}
    assert response.json["loan/1"].keys() == {"approval_probability", "model_version"}
    ready = [entry for entry in response.json["index"] if entry["state"] == "READY"]
    assert [f"{entry['name']}/{entry['version']}" for entry in ready] == [model.id for model in models]
