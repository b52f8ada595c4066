"""The endpoint is called with OpenAI's API. Every failure of the endpoint raises UpstreamError, in limited time."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from wsgi_core.shared.retrieval import Endpoint, Passage, UpstreamError, chat_endpoint
from wsgi_core.shared.settings import Settings

PASSAGES = [Passage("README.md", "Serve it", "Run wsgi-core serve.")]
ANSWER = {
    "choices": [{"message": {"role": "assistant", "content": " Run it [1]. "}}],
    "usage": {"prompt_tokens": 40, "completion_tokens": 5, "total_tokens": 45},
}
Respond = Callable[[BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def chat_server(respond: Respond) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Run a chat server with ``respond``. Yield its URL, and the list of its requests."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append({"path": self.path, "headers": dict(self.headers), "body": json.loads(body)})
            with contextlib.suppress(OSError):
                respond(self)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sends(body: bytes, status: int = 200) -> Respond:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return respond


def says(answer: Any) -> Respond:
    return sends(json.dumps(answer).encode())


def test_the_endpoint_gets_the_question_with_the_passages_and_the_key():
    with chat_server(says(ANSWER)) as (url, got):
        text, usage = Endpoint(url + "/", "small", "s3cret").generate("How do I serve it?", PASSAGES)
    assert text == "Run it [1]."
    assert usage == {"prompt_tokens": 40, "completion_tokens": 5, "total_tokens": 45}
    (request,) = got
    assert request["path"] == "/v1/chat/completions"
    assert request["headers"]["Authorization"] == "Bearer s3cret"
    assert request["body"]["model"] == "small"
    asked = request["body"]["messages"][-1]["content"]
    for part in ("[1] README.md, Serve it", "Run wsgi-core serve.", "Question: How do I serve it?"):
        assert part in asked


def test_without_a_key_none_is_sent_and_without_counts_there_are_zeros():
    with chat_server(says({**ANSWER, "usage": None})) as (url, got):
        _, usage = Endpoint(url, "small").generate("?", PASSAGES)
    assert "Authorization" not in got[0]["headers"]
    assert set(usage.values()) == {0}


@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (sends(b"{}", 500), "responded with 500"),
        (sends(b"{}", 401), "responded with 401"),
        (sends(b"", 302), "responded with 302"),
        (sends(b"no json"), "not the expected JSON"),
        (sends(b"[" * 100_000), "not the expected JSON"),
        (sends(b"[]"), "not the expected JSON"),
        (sends(b'"' + b"x" * (2 << 20) + b'"'), "not the expected JSON"),
        (says({}), "no text"),
        (says({"choices": []}), "no text"),
        (says({"choices": [{"message": None}]}), "no text"),
        (says({"choices": [{"message": {"content": None}}]}), "no text"),
        (says({"choices": [{"message": {"content": " "}}]}), "no text"),
        (sends(b'{"choices": [{"message": {"content": "\\ud800"}}]}'), "no text"),
        (lambda handler: handler.wfile.write(b"\x00\x01\r\n\r\n"), "cannot be reached"),
        (lambda handler: None, "cannot be reached"),
    ],
)
def test_an_answer_that_is_none_says_why(respond: Respond, reason: str):
    with chat_server(respond) as (url, _), pytest.raises(UpstreamError, match=reason):
        Endpoint(url, "small", timeout=10).generate("?", PASSAGES)


def test_nobody_there_is_said_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UpstreamError, match="cannot be reached"):
        Endpoint(f"http://127.0.0.1:{port}/v1", "small", timeout=10).generate("?", PASSAGES)


def test_an_endpoint_that_is_silent_or_drips_is_given_up():
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not over.wait(0.02):
            handler.wfile.write(b" ")

    try:
        for respond in (drip, lambda handler: over.wait(10)):
            with chat_server(respond) as (url, _):  # type: ignore[arg-type]
                with pytest.raises(UpstreamError, match=r"did not answer within 0\.2 s"):
                    Endpoint(url, "small", timeout=0.2).generate("?", PASSAGES)
                over.set()
            over.clear()
    finally:
        over.set()


def test_the_key_is_not_shown():
    assert "s3cret" not in repr(Endpoint("http://x", "small", "s3cret"))


def test_the_settings_name_the_endpoint_or_none():
    assert chat_endpoint(Settings()) is None
    settings = Settings(
        threads=8, chat_url="http://127.0.0.1:11434/v1", chat_model="small", chat_key="k", chat_timeout=3
    )  # type: ignore[arg-type]
    assert chat_endpoint(settings) == Endpoint("http://127.0.0.1:11434/v1", "small", "k", 3.0)


def floods(piece: bytes) -> Respond:
    """Return a responder that sends the piece without end."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        while True:
            handler.wfile.write(piece * 1000)

    return respond


@pytest.mark.parametrize(
    "piece",
    [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", b"X: y\r\n",
     b"HTTP/1.1 100 Continue\r\nA: " + b"b" * 60_000 + b"\r\n\r\n"],
)  # fmt: skip
def test_a_flood_of_interim_responses_ends_soon_and_costs_little(piece: bytes):
    with chat_server(floods(piece)) as (url, _):
        begin, cpu = time.monotonic(), time.process_time()
        with pytest.raises(UpstreamError):
            Endpoint(url, "m", timeout=60).generate("q", PASSAGES)
    assert time.monotonic() - begin < 30
    assert time.process_time() - cpu < 2


def test_questions_beyond_the_calls_at_a_time_fail_at_once_and_the_others_go_on():
    over, both = threading.Event(), threading.Semaphore(0)

    def respond(handler: BaseHTTPRequestHandler) -> None:
        both.release()
        over.wait(60)
        says(ANSWER)(handler)

    with chat_server(respond) as (url, got), ThreadPoolExecutor(6) as pool:
        endpoint = Endpoint(url, "m", timeout=60, calls=2)
        try:
            first = [pool.submit(endpoint.generate, "q", PASSAGES) for _ in range(2)]
            assert all(both.acquire(timeout=30) for _ in first)
            for _ in range(4):
                with pytest.raises(UpstreamError, match="too many calls to the endpoint are in progress"):
                    endpoint.generate("q", PASSAGES)
            assert not any(call.done() for call in first)
        finally:
            over.set()
        assert [call.result(30)[0] for call in first] == ["Run it [1]."] * 2
    assert len(got) == 2


def test_a_slot_is_free_again_after_a_call():
    with chat_server(says(ANSWER)) as (url, _):
        endpoint = Endpoint(url, "m", calls=1)
        for _ in range(5):
            assert endpoint.generate("q", PASSAGES)[0]


@pytest.mark.parametrize(("threads", "calls"), [(1, 1), (2, 1), (4, 2), (64, 2)])
def test_the_calls_never_take_all_threads(threads: int, calls: int):
    endpoint = chat_endpoint(Settings(chat_url="http://127.0.0.1:1/v1", threads=threads))
    assert endpoint is not None
    assert endpoint.calls == calls


def test_a_handshake_that_never_ends_gives_its_slot_back():
    """A socket's timeout restarts with every byte, and a TLS record may have 16 KiB."""
    over = threading.Event()

    def drip(server: socket.socket) -> None:
        with contextlib.suppress(OSError), server.accept()[0] as connection:
            connection.sendall(b"\x16\x03\x03\x40\x00")
            while not over.wait(0.05):
                connection.sendall(b"\x02")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        endpoint = Endpoint(f"https://127.0.0.1:{server.getsockname()[1]}/v1", "small", timeout=0.4, calls=1)
        with pytest.raises(UpstreamError, match="did not answer within"):
            endpoint.generate("Why?", PASSAGES)
        try:
            assert endpoint._calls._slots.acquire(timeout=30), "the call has not ended"
        finally:
            over.set()
            thread.join()
