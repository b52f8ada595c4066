"""wsgi-core models: what it prints, and its exit codes."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from click.testing import Result

from tests.inference.test_repository import add
from tests.processes import Server
from tests.runner import CliRunner
from wsgi_core.commands import models
from wsgi_core.commands.models import minilm_builder, models_command
from wsgi_core.inference import default_models_dir
from wsgi_core.shared.settings import Settings

KEY = "0123456789abcdef"


def call(*arguments: str | Path, **environ: str) -> Result:
    return CliRunner(env={"COLUMNS": "200", **environ}).invoke(
        models_command, [str(argument) for argument in arguments]
    )


@pytest.mark.parametrize("command", [["list"], []])
def test_lists_what_each_model_takes_and_answers(command: list[str]) -> None:
    result = call(*command)
    assert result.exit_code == 0
    for text in (
        "churn/1",
        "features FP32 [-1, 5]",
        "probabilities FP32 [-1, 2]",
        "sentiment/1",
        "tokens INT64 [-1, -1]",
    ):
        assert text in result.output


def test_lists_another_folder_or_says_why_not(tmp_path: Path) -> None:
    add(tmp_path, "identity", name="mine")
    assert "mine/1" in call("list", "--models", tmp_path).output
    result = call("list", "--models", tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "the models cannot be listed" in result.output


def test_check_exits_with_1_if_anything_is_wrong(tmp_path: Path) -> None:
    result = call("check", default_models_dir())
    assert result.exit_code == 0
    assert "ok       loan/1" in result.stdout
    (add(tmp_path, "identity") / "1" / "model.onnx").write_bytes(b"x")
    add(tmp_path, "identity", name="bare")
    result = call("check", tmp_path)
    assert result.exit_code == 1
    assert "ok       bare/1" in result.stdout
    assert "remark " in result.stdout
    assert "problem  " in result.stderr
    assert "cannot be loaded as a model" in result.stderr


def test_build_says_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in minilm_builder().SHA256:
        (tmp_path / name).write_bytes(b"else")
    monkeypatch.setattr(minilm_builder(), "find_source", lambda: tmp_path)
    result = call("build", "minilm", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "not the published file" in result.stderr
    assert not (tmp_path / "out").exists()


def test_build_knows_only_minilm() -> None:
    result = call("build", "maxilm")
    assert result.exit_code == 2
    assert "'maxilm' is not 'minilm'" in result.stderr


@pytest.mark.parametrize("framework", ["wsgi_core", pytest.param("flask", marks=pytest.mark.long)])
def test_reload_lets_a_server_take_what_is_new_and_refuse_what_is_broken(tmp_path: Path, framework: str) -> None:
    add(tmp_path, "identity")
    add(tmp_path, "identity", name="old")
    serve = ("-m", "wsgi_core", "serve", "--port", "0", "--models", str(tmp_path), "--model-control")
    with Server(*serve, "--framework", framework, WSGI_CORE_API_KEY=KEY) as server:
        url = f"http://{server.ready().host}:{server.port}"
        with asked(url) as statuses:
            add(tmp_path, "identity", version="2")
            shutil.rmtree(tmp_path / "old")
            result = call("reload", "--url", url, WSGI_CORE_API_KEY=KEY)
            assert (result.exit_code, result.stdout) == (0, "added    identity/2\nremoved  old/1\n")
            assert call("reload", "--url", url, WSGI_CORE_API_KEY=KEY).stdout == "nothing has changed\n"
            (tmp_path / "identity" / "2" / "model.onnx").write_bytes(b"x")
            result = call("reload", "--url", url, WSGI_CORE_API_KEY=KEY)
            assert result.exit_code == 1
            assert result.stderr.startswith(
                f"refused  identity/2: identity{os.sep}2{os.sep}model.onnx: cannot be loaded"
            )
        assert set(statuses) == {200}
        result = call("reload", "--url", url)
        assert result.exit_code == 1
        assert ": 401 " in result.stderr


@contextmanager
def asked(url: str) -> Iterator[list[int]]:
    """Request predictions of the newest version repeatedly during the block. Yield the list of statuses."""
    statuses: list[int] = []
    stop = threading.Event()
    body = b'{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}'

    def ask() -> None:
        while not stop.is_set():
            headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
            with urlopen(Request(f"{url}/v2/models/identity/infer", body, headers), timeout=30) as response:
                statuses.append(response.status)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield statuses
    finally:
        stop.set()
        asking.join()


def test_reload_says_what_is_in_the_way(tmp_path: Path) -> None:
    add(tmp_path, "identity")
    with Server("-m", "wsgi_core", "serve", "--port", "0", "--models", str(tmp_path)) as server:
        result = call("reload", "--url", f"http://{server.ready().host}:{server.port}/")
        assert result.exit_code == 1
        assert ": 403 " in result.stderr
        assert "model_control" in result.stderr
    result = call("reload", WSGI_CORE_PORT=server.port)
    assert result.exit_code == 1
    assert f"http://127.0.0.1:{server.port}: " in result.stderr
    assert call("reload", "--url", "nonsense").exit_code == 1


@pytest.mark.parametrize(
    ("url", "said"), [("http://localhost:abc", "nonnumeric port: 'abc'"), ("http://local host", "control characters")]
)
def test_an_invalid_url_is_an_error_of_one_line(url: str, said: str) -> None:
    result = call("reload", "--url", url)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {url}: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"SSH-2.0-\x1b[1m\r\n", "BadStatusLine('SSH-2.0-\\x1b[1m"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "IncompleteRead("),
        (b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}", "IncompleteRead("),
    ],
)
def test_a_response_that_is_not_http_is_an_error_of_one_line(sent: bytes, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):  # closing a connection with unread bytes would reset it
                    pass

        answering = threading.Thread(target=answer)
        answering.start()
        result = call("reload", "--url", f"http://127.0.0.1:{listener.getsockname()[1]}")
        answering.join()
    assert result.exit_code == 1
    assert f"the response is not valid HTTP: {said}" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("host", "address"), [("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80"), ("box", "http://box:80")]
)
def test_a_server_on_all_addresses_is_reached_on_this_machine(host: str, address: str) -> None:
    assert models._address(Settings(host=host, port=80)) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [("port = 9", "its port is from "), ("host = 'evil.example'", "its host is from "), ("threads = 2", "refused")],
)
def test_a_file_that_was_only_found_does_not_choose_who_gets_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    """The file must not even set the port: any user of the machine can listen on a free port."""
    (tmp_path / "wsgi-core.toml").write_text(f"{text}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models.urllib.request, "urlopen", sent := Asked())
    result = call("reload", WSGI_CORE_API_KEY=KEY)
    assert result.exit_code == 1
    assert said in result.stderr
    assert KEY not in result.output
    assert len(sent.urls) == (text == "threads = 2")
    given = {"WSGI_CORE_API_KEY": KEY}
    for arguments, environ in (
        (("--config", "wsgi-core.toml"), given),
        (("--url", "http://a"), given),
        ((), {}),
        ((), {**given, "WSGI_CORE_PORT": "1", "WSGI_CORE_HOST": "127.0.0.1"}),
    ):
        before = len(sent.urls)
        call("reload", *arguments, **environ)
        assert len(sent.urls) == before + 1


class Asked:
    """A replacement for urlopen that records the URLs and raises an exception."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def __call__(self, request: Request, timeout: float) -> None:
        self.urls.append(request.full_url)
        raise OSError("refused")


@pytest.mark.parametrize("answer", [b"[]", b"{}", b'{"added": 1}', b"5", b"nonsense"])
def test_another_server_than_ours_is_an_error_of_one_line(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.urllib.request, "urlopen", lambda request, timeout: io.BytesIO(answer))
    result = call("reload", "--url", "http://x")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_what_a_server_says_is_printed_without_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "\x1b]0;evil\x07\n"
    answer = {"added": [evil], "changed": [], "removed": [], "refused": {evil: evil}}
    monkeypatch.setattr(
        models.urllib.request, "urlopen", lambda *args, **kwargs: io.BytesIO(json.dumps(answer).encode())
    )
    result = call("reload", "--url", "http://x")
    assert "evil" in result.output
    assert "\x1b" not in result.output
    assert result.output.count("\n") == 2
