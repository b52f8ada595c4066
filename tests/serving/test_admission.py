"""Places are counted: what was taken comes back once, and nobody gets in beyond the limits."""

from __future__ import annotations

import pytest

from tests.serving.running import Client, Running, running
from wsgi_core.serving.admission import Admission, Ticket


def entered(admission: Admission, client: str = "a") -> Ticket:
    ticket = admission.enter(client)
    assert isinstance(ticket, Ticket)
    return ticket


def test_there_are_places_for_work_and_waiting():
    admission = Admission(at_work=2, waiting=1)
    tickets = [entered(admission) for _ in range(3)]
    assert admission.enter("a") == "overloaded"
    admission.leave(tickets[0])
    entered(admission)
    assert admission.enter("b") == "overloaded"
    assert admission.refused == {"overloaded": 2}


def test_a_place_is_given_back_once():
    admission = Admission(1, 1)
    first, _ = entered(admission), entered(admission)
    admission.leave(first)
    admission.leave(first)
    assert admission.inside == 1


def test_a_client_gets_no_more_than_its_share():
    admission = Admission(10, 0, per_client=2)
    first, _ = entered(admission), entered(admission)
    assert admission.enter("a") == "client"
    entered(admission, "b")
    admission.leave(first)
    entered(admission)
    assert admission.enter("a") == "client"


def test_clients_that_have_left_are_forgotten():
    admission = Admission(10, 0, per_client=2)
    for number in range(5):
        admission.leave(entered(admission, str(number)))
    assert not admission._clients


# Over the wire


def fill(server: Running, count: int = 4) -> list[Client]:
    """Take all the places: two at work, two waiting."""
    clients = [server.connect() for _ in range(count)]
    for number, client in enumerate(clients):
        client.get("/work")
        wait_inside(server, number + 1)
    server.app.wait_begun(2)
    return clients


def wait_inside(server: Running, count: int) -> None:
    """Wait until so many places are taken. Asking for health takes none, and lets the I/O thread go on."""
    for _ in range(1000):
        if server.server.admission.inside == count:
            return
        probe = server.connect()
        probe.ask("/healthz")
        probe.close()
    raise AssertionError(f"{server.server.admission.inside} inside, not {count}")


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


def test_a_waiting_client_that_leaves_frees_its_place():
    with running() as server:
        *_, waiting = fill(server)
        waiting.close()
        wait_inside(server, 3)
        server.connect().get("/work")
        wait_inside(server, 4)


def test_requests_in_a_row_on_one_connection_are_answered_in_order():
    with running() as server:
        client = server.connect()
        client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(50)))
        for number in range(50):
            assert b'"/%d"' % number in client.answer().body


def test_too_many_requests_in_a_row_end_the_connection():
    """Not one of them is kept beyond the limit: thousands fit into what is read at once."""
    with running(threads=1) as server:
        client = server.connect()
        client.send(b"GET /work HTTP/1.1\r\n\r\n" + b"GET /a HTTP/1.1\r\n\r\n" * 3000)
        server.app.wait_begun()
        (channel,) = server.server._listener.active_channels.values()
        for _ in range(1000):
            if len(channel.requests) == 101:
                break
            server.app.opened.wait(0.01)
        assert len(channel.requests) == 101
        server.app.open()
        assert [client.answer().status for _ in range(101)] == [200] * 100 + [429]
        assert client.ended()


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
        wait_inside(server, 2)
        server.app.opened.wait(0.01)
        server.app.open()
        assert working.answer().status == 200
        reply = waiting.answer()
        assert reply.status == 503
        assert "before it began" in reply.error
        assert server.server.admission.refused["expired"] == 1
        assert waiting.ask("/quick").status == 200
