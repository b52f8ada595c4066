"""Webhooks: whose they are is proven by a signature, and what they ask for is done later, in a worker of this process.

What was accepted is in a bounded queue: when that is full, senders are told to come again, and a clean stop works it
off. A delivery that comes twice is done once.
"""

from __future__ import annotations

import atexit
import hashlib
import hmac
import json
import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.datastructures import Headers, WWWAuthenticate
from werkzeug.exceptions import BadRequest, NotFound, Unauthorized

from ..inference import InputError, ModelNotFound, ModelRepository

log = logging.getLogger("wsgi_core.webhooks")

SIGNATURE = "X-Hub-Signature-256"
"""The header with `sha256=` and the hexadecimal HMAC-SHA256 of the body, as GitHub and others send it."""

DELIVERY = ("X-Delivery-ID", "X-GitHub-Delivery")
"""Headers in which senders name a delivery, the same name again when they send it again."""

REMEMBERED = 10_000
"""So many deliveries are known again; and never fewer than can wait."""

EXIT_TIMEOUT = 10.0
"""Seconds that the end of the interpreter waits for what was accepted, where no server has waited before."""

# RFC 9110, 15.5.2: a 401 names a scheme; for signed bodies none is registered.
_SCHEME = WWWAuthenticate("hmac-sha256", {"header": SIGNATURE})

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a source has sent: its name for it, and the JSON."""

    source: str
    id: str
    payload: object


class QueueFull(Exception):
    """No more is accepted, because too much waits or because the process is about to end."""


def sign(secret: bytes, body: bytes) -> str:
    """The signature of a body, as it stands in the header `SIGNATURE`."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def find_secret(secrets: Mapping[str, Any], source: str) -> bytes:
    """The secret of a source. Raises NotFound (404) for one that has none."""
    if source not in secrets:
        raise NotFound("No webhooks are taken from this source")
    return str(secrets[source].get_secret_value()).encode()


def check_signature(secret: bytes, body: bytes, given: str) -> None:
    """Raise Unauthorized (401) unless the body was signed with the secret.

    Compared in a time that does not depend on where the two differ.
    """
    if not hmac.compare_digest(sign(secret, body).encode(), given.encode("latin-1", "replace")):
        raise Unauthorized(f"{SIGNATURE} is not the signature of this body", www_authenticate=_SCHEME)


def delivery_id(headers: Headers, body: bytes) -> str:
    """The sender's name for a delivery; without one the body's digest, so that only another body is another one.

    Raises BadRequest (400) for a name that does not fit into a log.
    """
    given = next((headers[name] for name in DELIVERY if name in headers), None)
    if given is None:
        return hashlib.sha256(body).hexdigest()
    if not _ID.fullmatch(given):
        raise BadRequest("A delivery's name has 1 to 128 letters, digits and . _ : -")
    return given


class WebhookQueue:
    """At most `size` deliveries that wait, and one worker, which hands them to `job` in the order they came in.

    The worker starts with the first delivery, so that it lives in the process that serves also after a fork.
    A job that fails is logged; the next one is done all the same.
    """

    def __init__(self, job: Callable[[Delivery], None], size: int) -> None:
        self._job = job
        self._size = size
        self._waiting: deque[Delivery] = deque()
        self._seen: dict[tuple[str, str], None] = {}
        self._busy = self._closed = False
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None

    def accept(self, delivery: Delivery) -> bool:
        """Take a delivery; False if it was taken before. Raises `QueueFull`."""
        key = delivery.source, delivery.id
        with self._changed:
            if key in self._seen:
                return False
            if self._closed or len(self._waiting) >= self._size:
                raise QueueFull
            self._seen[key] = None
            if len(self._seen) > max(REMEMBERED, 2 * self._size):
                del self._seen[next(iter(self._seen))]
            self._waiting.append(delivery)
            self._start()
            self._changed.notify_all()
        return True

    def drain(self, timeout: float) -> bool:
        """Wait until everything that was accepted is done; False if that takes longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def close(self, timeout: float) -> bool:
        """Accept nothing more, and `drain`. Then the worker ends. May be called more than once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        atexit.unregister(self._close_at_exit)
        done = self.drain(timeout)
        if not done:
            log.error("%d webhooks that were accepted are not done", len(self._waiting) + self._busy)
        return done

    def _close_at_exit(self) -> None:
        self.close(EXIT_TIMEOUT)

    def _start(self) -> None:
        if self._worker is None or not self._worker.is_alive():
            self._worker = threading.Thread(target=self._work, name="webhooks", daemon=True)
            self._worker.start()
            atexit.register(self._close_at_exit)

    def _work(self) -> None:
        while (delivery := self._next()) is not None:
            try:
                self._job(delivery)
            except Exception:
                log.exception("webhook %s %s: the job has failed", delivery.source, delivery.id)

    def _next(self) -> Delivery | None:
        """The next delivery, as soon as there is one; None when there will be none. The one before is done."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            self._busy = True
            return self._waiting.popleft()


class PredictJob:
    """The job of the service: predict what the payload asks for, as `/predict` takes it, with the model `name`.

    The outcome is a line of JSON at the end of the file `results`, if there is one, and a line in the log without
    what anybody's data say.
    """

    def __init__(self, models: ModelRepository, results: Path | None, name: str = "churn") -> None:
        self._models = models
        self._results = results
        self._name = name

    def __call__(self, delivery: Delivery) -> None:
        """Do it."""
        try:
            outcome = self._models.get(self._name).predict(delivery.payload)
        except (InputError, ModelNotFound) as error:
            outcome = {"error": str(error)}
        if self._results is not None:
            line = json.dumps({"source": delivery.source, "delivery": delivery.id, **outcome})
            with open(self._results, "a", encoding="utf-8", newline="\n") as file:
                file.write(line + "\n")
        how = "refused" if "error" in outcome else "predicted"
        log.info("webhook %s %s: %s", delivery.source, delivery.id, how)
