"""A service serves requests until it is stopped, and a failed start is reported in the event log."""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.cases import GOOD
from wsgi_core.commands.windows.worker import EventHandler, Worker, log_to, stop_milliseconds
from wsgi_core.shared.settings import Settings


class Events:
    """A fake event log that records the entries."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def info(self, text: str) -> None:
        self.told.append(("info", text))

    def warning(self, text: str) -> None:
        self.told.append(("warning", text))

    def error(self, text: str) -> None:
        self.told.append(("error", text))


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Restore the logging of the process, which a service configures."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def port_of(events: Events) -> int:
    """Return the port from the event that is logged when the service begins to serve."""
    while not events.told:
        threading.Event().wait(0.01)
    return int(events.told[0][1].rpartition(" ")[2])


def test_it_serves_until_it_is_stopped(tmp_path: Path):
    events, running, codes = Events(), threading.Event(), []
    log = tmp_path / "service.log"
    worker = Worker(["churn", str(log), "WSGI_CORE_PORT=0", "WSGI_CORE_ACCESS_LOG=true"], events)

    def work() -> None:
        codes.append(worker.work(running.set))

    thread = threading.Thread(target=work)
    thread.start()
    assert running.wait(30)
    connection = http.client.HTTPConnection("127.0.0.1", port_of(events), timeout=20)
    connection.request("POST", "/predict", json.dumps(GOOD), {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    assert response.status == 200
    connection.close()
    worker.stop()
    thread.join(30)
    assert codes == [0]
    assert [kind for kind, _ in events.told] == ["info", "info"]
    assert "POST /predict 200" in log.read_text(encoding="utf-8")


def test_a_stop_that_comes_first_is_kept():
    worker = Worker(["churn", "", "WSGI_CORE_PORT=0"], Events())
    worker.stop()
    assert worker.work(lambda: None) == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["WSGI_CORE_MODELS=/no/such/folder", "WSGI_CORE_PORT=0"], 3, "folder"),
        (["WSGI_CORE_HOST=192.0.2.1"], 2, "192.0.2.1"),
        (["WSGI_CORE_PORT=70000"], 2, "WSGI_CORE_PORT"),
    ],
)
def test_a_start_that_fails_is_told(words: list[str], code: int, said: str):
    events = Events()
    assert Worker(["churn", "", *words], events).work(lambda: pytest.fail("it runs")) == code
    ((kind, text),) = events.told
    assert kind == "error"
    assert text.startswith("churn cannot start: ")
    assert said in text


def test_what_nobody_expected_is_told_with_its_traceback(monkeypatch: pytest.MonkeyPatch):
    def fail(settings: Settings) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr("wsgi_core.commands.windows.worker.make_server", fail)
    events = Events()
    assert Worker(["churn", ""], events).work(lambda: None) == 1
    assert [kind for kind, _ in events.told] == ["error", "error"]
    assert "Traceback" in events.told[0][1]


def test_the_event_log_gets_warnings_and_errors_alone():
    events = Events()
    log_to("", Settings(access_log=True), events)
    logger = logging.getLogger("tests.windows")
    logger.info("an access")
    logger.warning("careful")
    logger.error("failed")
    assert [(kind, text.rpartition(" ")[2]) for kind, text in events.told] == [
        ("warning", "careful"),
        ("error", "failed"),
    ]


def test_an_event_log_that_fails_stops_nobody(monkeypatch: pytest.MonkeyPatch):
    class Broken(Events):
        def warning(self, text: str) -> None:
            raise OSError

    monkeypatch.setattr(logging, "raiseExceptions", False)
    EventHandler(Broken()).emit(logging.makeLogRecord({"levelno": logging.WARNING, "msg": "x"}))


def test_a_stop_has_the_time_that_it_may_take():
    assert stop_milliseconds(Settings(stop_pause=2, stop_timeout=8)) == 15_000
