"""Readiness, on both twins: 200 until the server stops, then 503 with Retry-After."""

from __future__ import annotations

from typing import Any

from wsgi_core.shared.settings import Settings


def test_ready_until_the_server_stops(create_app: Any):
    app = create_app(settings=Settings(retry_after=7))
    client = app.test_client()
    assert (client.get("/readyz").status_code, client.get("/readyz").text) == (200, "ready")
    app.extensions["readiness"].stop()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "7"
    assert response.get_json()["error"]
    assert client.get("/healthz").status_code == 200, "the process lives until its end"
