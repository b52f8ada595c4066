"""Attacks on the service behind its server, on both frameworks: by a web page, a body, or a service that it calls."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import http.server
import json
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conformance.cases import GOOD
from tests.processes import Server

EVIL = "https://evil.example"
UNLOAD = "/v2/repository/models/churn/unload"
KEY = "0123456789abcdef"


@contextlib.contextmanager
def serving(framework: str, *args: str, **environ: str) -> Iterator[Server]:
    with Server("-m", "wsgi_core", "serve", "--port", "0", "--framework", framework, *args, **environ) as server:
        yield server.ready()


@pytest.fixture(params=["wsgi_core", pytest.param("flask", marks=pytest.mark.long)])
def framework(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def ask(server: Server, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*server.address, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, response.read()


def test_a_foreign_web_page_cannot_unload_a_model_and_a_rebound_name_is_refused(framework: str):
    with serving(framework, "--model-control") as server:
        pages: list[dict[str, str]] = [
            {"Origin": EVIL}, {"Origin": "null"}, {"Origin": EVIL, "Content_Type": "text/plain"},
            {"Origin": EVIL, "Content_Type": "application/json", "Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"}, {"Referer": f"{EVIL}/"},
            {"Content_Type": "application/x-www-form-urlencoded"},
        ]  # fmt: skip
        assert {ask(server, "POST", UNLOAD, "{}", **headers)[0] for headers in pages} == {403, 415}
        for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example"):
            assert ask(server, "POST", UNLOAD, "{}", Host=host, Content_Type="application/json")[0] == 400
            assert ask(server, "GET", "/v2/models/churn", Host=host)[0] == 400
            assert ask(server, "GET", "/healthz", Host=host)[0] == 200
        assert ask(server, "GET", "/v2/models/churn/ready")[0] == 200
        assert ask(server, "POST", UNLOAD, "{}", Content_Type="application/json")[0] == 200


def test_a_body_without_the_key_is_not_kept_in_memory(framework: str):
    with serving(framework, WSGI_CORE_API_KEY=KEY) as server:
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {4 << 20}"
        process = psutil.Process(server.process.pid)
        ask(server, "POST", "/predict", "{}", Content_Type="application/json")
        before = process.memory_info().rss
        connections = [http.client.HTTPConnection(*server.address, timeout=30) for _ in range(20)]
        for connection in connections:
            connection.connect()
            connection.sock.sendall(f"{head}\r\n\r\n".encode() + b" " * (3 << 20))  # never the rest
        assert process.memory_info().rss - before < 16 << 20
        connections[0].sock.sendall(b" " * (1 << 20))
        assert connections[0].sock.recv(12) == b"HTTP/1.1 401"
        for connection in connections:
            connection.close()


@pytest.mark.skipif(sys.platform == "win32", reason="memory is measured as Linux counts it")
def test_compressed_bodies_count_by_their_size_after_decompression(framework: str):
    """24 bodies at once, each 4 KB on the wire and 4 MiB after decompression."""
    inner = json.dumps({"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 5], "data": [0] * 5}]}).encode()
    bomb = gzip.compress(inner.ljust((4 << 20) - 1))
    with serving(framework) as server:
        process = psutil.Process(server.process.pid)
        ask(server, "POST", "/v2/models/churn/infer", bomb, Content_Encoding="gzip")
        before, peak, done = process.memory_info().rss, [0], threading.Event()

        def watch() -> None:
            while not done.wait(0.005):
                peak[0] = max(peak[0], process.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        statuses: list[int] = []
        senders = [
            threading.Thread(
                target=lambda: statuses.append(
                    ask(server, "POST", "/v2/models/churn/infer", bomb, Content_Encoding="gzip")[0]
                )
            )
            for _ in range(24)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        done.set()
        watcher.join()
        assert len(statuses) == 24
        assert set(statuses) <= {200, 400, 503}
        assert peak[0] - before < 64 << 20
        larger = gzip.compress(b" " * (40 << 20))
        assert ask(server, "POST", "/v2/models/churn/infer", larger, Content_Encoding="gzip")[0] == 413


def test_many_invalid_lines_cost_little(framework: str):
    with serving(framework, "--stream-max-errors", "100") as server:
        process = psutil.Process(server.process.pid)
        ask(server, "POST", "/predict/stream", json.dumps(GOOD), Content_Type="application/x-ndjson")
        before = sum(process.cpu_times()[:2])
        status, answer = ask(server, "POST", "/predict/stream", b"{}\n" * 175_000, Content_Type="application/x-ndjson")
        assert status == 200
        assert answer.splitlines()[-1] == b'{"line":101,"error":"the stream ends here: 100 lines are invalid"}'
        assert len(answer) < 100_000
        assert sum(process.cpu_times()[:2]) - before < 2


@contextlib.contextmanager
def hanging() -> Iterator[tuple[str, threading.Event]]:
    """Run a chat endpoint that does not answer before `over` is set. Yield its URL and `over`."""
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            over.wait(120)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    upstream.daemon_threads = True
    thread = threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{upstream.server_port}/v1", over
    finally:
        over.set()
        upstream.shutdown()
        thread.join()
        upstream.server_close()


def test_hanging_chats_leave_threads_for_others(framework: str):
    question = json.dumps({"query": "How do I serve it?"})
    args = ("--threads", "4", "--max-wait", "60", "--chat-timeout", "120", "--chat-url")
    with hanging() as (url, over), serving(framework, *args, url) as server:
        fallbacks: queue.Queue[str] = queue.Queue()

        def chat() -> None:
            answer = ask(server, "POST", "/rag-chat", question, Content_Type="application/json")[1]
            fallbacks.put(json.loads(answer)["usage"]["fallback"])

        chats = [threading.Thread(target=chat) for _ in range(8)]
        for each in chats:
            each.start()
        first = [fallbacks.get(timeout=60) for _ in range(6)]
        assert first == ["too many calls to the endpoint are in progress"] * 6
        assert ask(server, "POST", "/predict", json.dumps(GOOD), Content_Type="application/json")[0] == 200
        assert fallbacks.empty()
        over.set()
        for each in chats:
            each.join()
        assert all("cannot be reached" in fallbacks.get_nowait() for _ in range(2))


def test_the_start_names_the_settings_file_and_sends_no_secret_to_a_url_from_it(tmp_path: Path, framework: str):
    (tmp_path / "wsgi-core.toml").write_text("chat_url = 'http://127.0.0.1:1/v1'\n", encoding="utf-8")
    words = ["wsgi-core", "serve", "--port", "0", "--framework", framework]
    code = (
        f"import os, runpy, sys\nos.chdir({str(tmp_path)!r})\nsys.argv = {words!r}\n"
        "runpy.run_module('wsgi_core', run_name='__main__')"
    )
    with Server("-c", code) as server:
        server.ready()
        assert ask(server, "GET", "/healthz")[0] == 200
        assert any(str(tmp_path / "wsgi-core.toml") in line for line in server.lines)
    with Server("-c", code, WSGI_CORE_CHAT_KEY=KEY) as refused:
        assert refused.process.wait(60) == 2
    said = "".join(refused.lines)
    assert "WSGI_CORE_CHAT_KEY: would be sent to the chat_url of" in said
    assert KEY not in said
