"""What was accepted is done, once and in order; what is not signed, or too much, is not accepted."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr
from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest, NotFound, Unauthorized

from tests.conformance.cases import GOOD, but
from tests.processes import run
from wsgi_core.inference import ModelRepository
from wsgi_core.shared import webhooks
from wsgi_core.shared.webhooks import (
    Delivery,
    PredictJob,
    QueueFull,
    WebhookQueue,
    check_signature,
    delivery_id,
    find_secret,
    sign,
)  # fmt: skip

SECRET = b"It's a Secret to Everybody"


def delivery(number: int, source: str = "crm") -> Delivery:
    return Delivery(source, f"{number}", {"number": number})


class Gate:
    """A job that waits to be let through, and notes what was done."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun = threading.Event()
        self.done: list[str] = []

    def __call__(self, delivery: Delivery) -> None:
        self.begun.set()
        assert self.open.wait(10)
        self.done.append(delivery.id)


def test_the_signature_is_the_one_that_github_documents():
    given = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert sign(SECRET, b"Hello, World!") == given
    check_signature(SECRET, b"Hello, World!", given)


@pytest.mark.parametrize(
    "given", ["", "sha256=", "757107ea", "sha1=" + "0" * 40, sign(b"other", b"x"), sign(SECRET, b"y"), "é", "☕" * 71]
)
def test_any_other_signature_is_refused(given: str):
    with pytest.raises(Unauthorized):
        check_signature(SECRET, b"x", given)


def test_a_source_without_a_secret_is_not_found():
    secrets = {"crm": SecretStr("ü" * 16)}
    assert find_secret(secrets, "crm") == ("ü" * 16).encode()
    with pytest.raises(NotFound):
        find_secret(secrets, "github")


def test_a_delivery_is_known_by_its_header_or_by_its_body():
    assert delivery_id(Headers({"X-GitHub-Delivery": "72d3162e-cc78-11e3"}), b"") == "72d3162e-cc78-11e3"
    assert delivery_id(Headers(), b"a") != delivery_id(Headers(), b"b")
    for bad in ("", "a b", "x" * 129, "é"):
        with pytest.raises(BadRequest):
            delivery_id(Headers([("X-Delivery-ID", bad)]), b"")


def test_everything_accepted_is_done_in_order_and_before_it_is_closed():
    gate = Gate()
    queue = WebhookQueue(gate, 100)
    assert all(queue.accept(delivery(number)) for number in range(50))
    assert not queue.drain(0.01)
    gate.open.set()
    assert queue.close(10)
    assert gate.done == [f"{number}" for number in range(50)]


def test_more_than_its_size_does_not_wait():
    gate = Gate()
    queue = WebhookQueue(gate, 2)
    queue.accept(delivery(0))
    assert gate.begun.wait(10)
    queue.accept(delivery(1))
    queue.accept(delivery(2))
    with pytest.raises(QueueFull):
        queue.accept(delivery(3))
    gate.open.set()
    assert queue.drain(10)
    assert queue.accept(delivery(3)), "what was refused is no repetition when it comes again"
    assert queue.close(10)
    assert gate.done == ["0", "1", "2", "3"]


def test_a_repetition_is_done_once_and_another_source_is_another_delivery():
    gate = Gate()
    gate.open.set()
    queue = WebhookQueue(gate, 10)
    assert [queue.accept(delivery(1)), queue.accept(delivery(1)), queue.accept(delivery(1, "other"))] == [
        True,
        False,
        True,
    ]
    assert queue.close(10)
    assert gate.done == ["1", "1"]
    assert not queue.accept(delivery(1)), "also when it is closed: it was done"


def test_a_closed_queue_takes_nothing():
    queue = WebhookQueue(Gate(), 10)
    assert queue.close(1)
    with pytest.raises(QueueFull):
        queue.accept(delivery(1))


def test_what_could_not_be_done_in_time_is_told(caplog: pytest.LogCaptureFixture):
    gate = Gate()
    queue = WebhookQueue(gate, 10)
    queue.accept(delivery(1))
    queue.accept(delivery(2))
    assert not queue.close(0.01)
    assert "2 webhooks that were accepted are not done" in caplog.text
    gate.open.set()
    assert queue.close(10)


def test_a_job_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture):
    done = []

    def job(delivery: Delivery) -> None:
        if delivery.id == "1":
            raise RuntimeError("broken")
        done.append(delivery.id)

    queue = WebhookQueue(job, 10)
    for number in (1, 2):
        queue.accept(delivery(number))
    assert queue.close(10)
    assert done == ["2"]
    assert "webhook crm 1: the job has failed" in caplog.text


def test_only_so_many_deliveries_are_remembered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webhooks, "REMEMBERED", 20)
    queue = WebhookQueue(lambda delivery: None, 10)
    for number in range(21):
        assert queue.accept(delivery(number))
        assert queue.drain(10)
    assert not queue.accept(delivery(20))
    assert queue.accept(delivery(0))
    assert queue.close(10)


def test_many_threads_may_hand_in_at_once():
    done: list[str] = []
    queue = WebhookQueue(lambda delivery: done.append(delivery.id), 1000)
    threads = [
        threading.Thread(target=lambda: [queue.accept(delivery(number)) for number in range(200)]) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queue.close(10)
    assert done == list(dict.fromkeys(done))
    assert len(done) == 200


def test_what_was_accepted_is_done_before_the_interpreter_ends(tmp_path: Path):
    file = tmp_path / "done"
    code = (
        "import time\nfrom wsgi_core.shared.webhooks import *\n"
        f"def job(d):\n    time.sleep(0.02)\n    open({str(file)!r}, 'a', encoding='utf-8').write(d.id)\n"
        "queue = WebhookQueue(job, 10)\nfor n in range(5):\n    queue.accept(Delivery('a', str(n), None))\n"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert file.read_text(encoding="utf-8") == "01234"


def test_the_job_predicts_and_keeps_a_line_for_each(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    models, results = ModelRepository(), tmp_path / "results.jsonl"
    job = PredictJob(models, results)
    with caplog.at_level(logging.INFO, logger="wsgi_core.webhooks"):
        job(Delivery("crm", "a", GOOD))
        job(Delivery("crm", "b", [GOOD, but(tenure_months=70)]))
        job(Delivery("crm", "c", "☕"))
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    assert [(line["source"], line["delivery"]) for line in lines] == [("crm", "a"), ("crm", "b"), ("crm", "c")]
    assert lines[0]["churn_probability"] == models.get("churn").predict(GOOD)["churn_probability"]
    assert len(lines[1]["predictions"]) == 2
    assert lines[2]["error"]
    assert [record.getMessage() for record in caplog.records] == [
        "webhook crm a: predicted", "webhook crm b: predicted", "webhook crm c: refused",
    ]  # fmt: skip
    PredictJob(models, None, "nope")(Delivery("crm", "d", GOOD))
