"""The state that a server's connections share follows the settings, and is not shared with other servers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.serving.running import request, running
from wsgi_core.serving.admission import Permit, Refused
from wsgi_core.serving.site import Site
from wsgi_core.shared.settings import Settings


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b""]


def test_slots_and_limits_are_those_of_the_settings():
    site = Site(app, Settings(threads=1, max_per_client=1, retry_after=7, max_headers=9), body_limits={"/big": 5})
    assert isinstance(site.admission.acquire("192.0.2.7"), Permit)
    assert site.admission.acquire("192.0.2.7") == Refused("client", 7)
    assert isinstance(site.admission.acquire("192.0.2.8"), Permit)
    assert (site.limits.max_headers, site.limits.body_limits) == (9, {"/big": 5})


def test_bodies_of_all_connections_have_one_limit():
    site = Site(app, Settings(max_unsent=1 << 20))
    assert site.limits.bodies is site.bodies
    site.unsent.add(1 << 20)
    assert not site.unsent.exceeded
    site.unsent.add(1)
    assert site.unsent.exceeded


def test_two_servers_in_a_process_share_no_counts():
    first, second = (Site(app, Settings(max_per_client=1)) for _ in range(2))
    first.admission.acquire("192.0.2.7")
    first.limits.body_limits["/a"] = 1
    assert (first.admission.admitted, second.admission.admitted) == (1, 0)
    assert second.limits.body_limits == {}
    assert isinstance(second.admission.acquire("192.0.2.7"), Permit)


@pytest.mark.parametrize(("path", "method", "slot_needed"), [("/healthz", "GET", False), ("/healthz", "POST", True)])
def test_monitoring_needs_no_slot_where_the_server_is_full(path: str, method: str, slot_needed: bool):
    with running(threads=1, max_per_client=1) as server:
        busy = server.connect()
        busy.get("/work")
        server.app.wait_begun()
        client = server.connect()
        client.send(request(method, path, b"" if method == "GET" else b"x"))
        assert (client.answer().status == 429) is slot_needed
        server.app.open()
        assert busy.answer().status == 200
