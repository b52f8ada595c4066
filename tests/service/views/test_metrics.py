"""/metrics on both twins, in the format that the client accepts."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def test_a_request_is_counted_by_its_rule(create_app: Any):
    client = create_app().test_client()
    client.get("/v2/models/churn")
    families = {family.name: family for family in text_string_to_metric_families(client.get("/metrics").text)}
    routes = {sample.labels.get("http_route") for sample in families["http_server_request_duration_seconds"].samples}
    assert "/v2/models/<name>" in routes
    assert "/v2/models/churn" not in routes


def test_the_form_is_the_one_that_is_accepted(create_app: Any):
    client = create_app().test_client()
    assert client.get("/metrics").content_type.startswith("text/plain")
    response = client.get("/metrics", headers={"Accept": OPENMETRICS})
    assert response.content_type.startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")
