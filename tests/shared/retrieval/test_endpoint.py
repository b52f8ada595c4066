"""The endpoint is asked as OpenAI's is; whatever goes wrong there is an UpstreamError, and soon."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
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
    """A server of one's own, its URL, and the requests that it got."""
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
        (sends(b"{}", 500), "answered 500"),
        (sends(b"{}", 401), "answered 401"),
        (sends(b"", 302), "answered 302"),
        (sends(b"no json"), "not the JSON"),
        (sends(b"[" * 100_000), "not the JSON"),
        (sends(b"[]"), "not the JSON"),
        (sends(b'"' + b"x" * (2 << 20) + b'"'), "not the JSON"),
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
    settings = Settings(chat_url="http://127.0.0.1:11434/v1", chat_model="small", chat_key="k", chat_timeout=3)  # type: ignore[arg-type]
    assert chat_endpoint(settings) == Endpoint("http://127.0.0.1:11434/v1", "small", "k", 3.0)
