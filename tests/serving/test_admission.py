"""Slots are counted: each is released once, by its owner, and a request is refused only if it would wait too long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.serving.running import Client, Running, running, until
from wsgi_core.serving.admission import Admission, Pace, Permit, Refused, client_of


def acquired(admission: Admission, client: str = "a") -> Permit:
    permit = admission.acquire(client)
    assert isinstance(permit, Permit)
    return permit


def begun(admission: Admission, client: str = "a") -> Permit:
    permit = acquired(admission, client)
    assert admission.begin(permit)
    return permit


def reason(refused: Permit | Refused | None) -> str:
    assert isinstance(refused, Refused)
    return refused.reason


def make(threads: int = 1, max_waiting: int = 100, max_wait: float = 2.0, per_client: int = 0) -> Admission:
    return Admission(threads=threads, max_waiting=max_waiting, max_wait=max_wait, per_client=per_client)


def test_the_count_is_a_hard_bound():
    admission = make(threads=2, max_waiting=1)
    permits = [begun(admission) for _ in range(3)]
    assert reason(admission.acquire("a")) == "overloaded"
    admission.release(permits[0], 1.0)
    begun(admission)
    assert reason(admission.acquire("b")) == "overloaded"
    assert admission.refused == {"overloaded": 2}


@pytest.mark.parametrize("end", ["release", "cancel"])
def test_a_slot_is_released_once(end: str):
    admission = make()
    permit = acquired(admission)
    if end == "release":
        assert admission.begin(permit)
        admission.release(permit, 1.0)
    else:
        assert admission.cancel(permit)
    assert admission.admitted == 0
    with pytest.raises(RuntimeError):
        admission.release(permit, 1.0)
    assert not admission.cancel(permit)
    assert not admission.begin(permit)
    assert admission.admitted == 0


def test_a_request_that_runs_cannot_be_cancelled():
    admission = make()
    permit = begun(admission)
    assert not admission.cancel(permit)
    assert (admission.waiting, admission.running) == (0, 1)


@given(st.lists(st.tuples(st.sampled_from(["acquire", "begin", "cancel", "release"]), st.integers(0, 9)), max_size=60))
def test_whatever_happens_the_counts_are_those_of_the_permits(steps: list[tuple[str, int]]):
    admission = make(threads=2, max_waiting=4, per_client=4)
    permits: list[Permit] = []
    for step, number in steps:
        if step == "acquire":
            permit = admission.acquire(str(number % 2))
            permits += [permit] if isinstance(permit, Permit) else []
        elif permits:
            permit = permits[number % len(permits)]
            if step == "release":
                if permit.state == "running":
                    admission.release(permit, float(number))
            else:
                getattr(admission, step)(permit)
        assert admission.waiting == sum(permit.state == "waiting" for permit in permits)
        assert admission.running == sum(permit.state == "running" for permit in permits)
    for client in "01":
        held = sum(permit.client == client and permit.state != "released" for permit in permits)
        assert admission._clients[client] == held


def test_a_client_gets_no_more_than_its_share():
    admission = make(threads=10, per_client=2)
    first, _ = begun(admission), begun(admission)
    assert reason(admission.acquire("a")) == "client"
    begun(admission, "b")
    admission.release(first, 1.0)
    begun(admission)
    assert reason(admission.acquire("a")) == "client"


def test_clients_that_have_left_are_forgotten():
    admission = make(threads=10, per_client=2)
    for number in range(5):
        admission.release(begun(admission, str(number)), 1.0)
    assert not admission._clients


# Time


@given(st.floats(0.0001, 1.0), st.integers(2, 200))
def test_a_steady_pace_is_found(interval: float, responses: int):
    pace = Pace()
    for number in range(responses):
        pace.record(1 + number * interval, waiting=1)
    assert pace.interval == pytest.approx(interval)


@given(st.floats(0.0001, 0.1), st.floats(0.0001, 0.1))
def test_a_new_pace_is_found_within_seconds(before: float, after: float):
    pace, now = Pace(), 1.0
    for interval in (before, after):
        end = now + 12
        while now < end:
            now += interval
            pace.record(now, waiting=1)
    assert pace.interval == pytest.approx(after, rel=0.1, abs=0.001)


def test_time_in_which_nothing_waits_says_nothing_of_the_pace():
    pace = Pace()
    for now in (1.0, 1.1, 1.2):
        pace.record(now, waiting=1)
    pace.record(1.3, waiting=0)
    pace.record(100.0, waiting=1)
    pace.record(100.1, waiting=1)
    assert pace.interval == pytest.approx(0.1)


def with_pace(interval: float, **arguments: float) -> Admission:
    admission = make(**arguments)
    for number in range(3):
        admission.pace.record(1 + number * interval, waiting=1)
    return admission


def test_a_request_is_refused_only_if_those_before_it_need_too_long():
    admission = with_pace(0.1, max_wait=1.0)
    permits = [acquired(admission) for _ in range(12)]
    refused = admission.acquire("a")
    assert refused == Refused("overloaded", 2)  # the 11 requests that wait for the thread need 1.1 s
    assert admission.check("a") == refused
    assert admission.cancel(permits[0])
    acquired(admission)


def test_a_fast_queue_may_be_long():
    admission = with_pace(0.001, max_waiting=10_000)
    for _ in range(1900):
        acquired(admission)


def test_where_nothing_waits_nothing_is_refused_however_slow_it_was():
    admission = with_pace(60.0)
    acquired(admission)


# Over the wire


def fill(server: Running, count: int = 4) -> list[Client]:
    """Occupy all slots with ``count`` requests: two are being processed, and the other requests wait."""
    clients = [server.connect() for _ in range(count)]
    for number, client in enumerate(clients):
        client.get("/work")
        wait_inside(server, number + 1)
    server.app.wait_begun(2)
    return clients


def wait_inside(server: Running, count: int) -> None:
    """Wait until ``count`` slots are occupied. Requests to /healthz occupy no slot, and wake the I/O thread."""
    for _ in range(1000):
        if server.server.admission.admitted == count:
            return
        probe = server.connect()
        probe.ask("/healthz")
        probe.close()
    raise AssertionError(f"{server.server.admission.admitted} inside, not {count}")


def test_who_finds_no_place_is_told_so_at_once_and_may_stay():
    with running(retry_after=7) as server:
        clients = fill(server)
        refused = server.connect()
        for _ in range(2):
            reply = refused.ask("/work")
            assert reply.status == 503
            assert reply.headers["retry-after"] == "7"
            assert reply.error == "too many requests at once"
            assert "connection" not in reply.headers
        server.app.open()
        assert [client.answer().status for client in clients] == [200] * 4
        assert refused.ask("/work").status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"])
def test_health_is_answered_while_all_places_are_taken(path: str):
    with running() as server:
        fill(server)
        assert server.connect().ask(path).status == 200


def test_only_asking_for_health_is_always_allowed():
    with running() as server:
        fill(server)
        client = server.connect()
        client.send(b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert client.answer().status == 503


def test_a_head_request_is_refused_without_a_body():
    with running() as server:
        fill(server)
        client = server.connect()
        client.send(b"HEAD /work HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.answer("HEAD").status == 503
        assert client.ask("/healthz").status == 200


def test_a_client_with_too_many_requests_is_told_that_it_is_the_cause():
    with running(max_per_client=1) as server:
        server.connect().get("/work")
        server.app.wait_begun()
        reply = server.connect().ask("/work")
        assert reply.status == 429
        assert reply.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("64:ff9b::203.0.113.9", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:0db8:0:0:ffff:ffff:ffff:ffff", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_the_limits_count_addresses_that_one_customer_may_choose_as_one_client(address: str, client: str):
    assert client_of(address) == client


def test_a_client_cannot_evade_its_limit_with_other_addresses_of_its_network():
    with running(max_per_client=1, trusted_proxy="127.0.0.1") as server:
        server.connect().get("/work", X_Forwarded_For="2001:db8::1")
        server.app.wait_begun()
        for number in range(2, 6):
            assert server.connect().ask("/work", X_Forwarded_For=f"2001:db8::{number}:{number}").status == 429
        assert server.connect().ask("/a", X_Forwarded_For="2001:db8:0:1::1").status == 200
        assert server.app.seen[-1]["REMOTE_ADDR"] == "2001:db8:0:1::1"


def test_a_waiting_client_that_leaves_frees_its_place():
    with running() as server:
        *_, waiting = fill(server)
        waiting.reset()
        wait_inside(server, 3)
        server.connect().get("/work")
        wait_inside(server, 4)


def test_requests_in_a_row_on_one_connection_are_answered_in_order():
    with running() as server:
        client = server.connect()
        client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(50)))
        for number in range(50):
            assert b'"/%d"' % number in client.answer().body


def test_of_pipelined_requests_one_is_worked_on_and_the_others_are_not_read():
    with running(threads=2) as server:
        client = server.connect()
        client.send(b"GET /work HTTP/1.1\r\nHost: x\r\n\r\n" * 3000)
        server.app.wait_begun()
        (channel,) = server.server._listener.channels
        until(lambda: channel.input)
        assert server.connect().ask("/a").status == 200
        assert len(channel.input) <= 64 << 10
        until(lambda: server.server.admission.admitted == 1)  # the slot of /a is released after its response
        server.app.open()
        assert [client.answer().status for _ in range(3000)] == [200] * 3000


def test_requests_in_a_row_are_refused_in_order_too():
    with running(threads=1, max_waiting=0) as server:
        server.connect().get("/work")
        server.app.wait_begun()
        client = server.connect()
        client.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" * 30 + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert [client.answer().status for _ in range(31)] == [503] * 30 + [200]


def test_as_many_clients_as_places_are_never_refused():
    with running(threads=2, max_waiting=2) as server:
        clients = [server.connect() for _ in range(4)]
        for _ in range(200):
            for client in clients:
                client.get("/quick")
            assert [client.answer().status for client in clients] == [200] * 4


def test_a_request_whose_time_went_by_while_it_waited_is_not_begun():
    with running(threads=1) as server:
        working, waiting = server.connect(), server.connect()
        working.get("/work")
        server.app.wait_begun()
        waiting.get("/work", X_Request_Timeout="0.001")
        reply = waiting.answer()
        assert reply.status == 503
        server.app.open()
        assert working.answer().status == 200
        assert len(server.app.seen) == 1
        assert "waited too long" in reply.error
        assert server.server.admission.refused["expired"] == 1
        assert waiting.ask("/quick").status == 200
