"""Webhooks: a sender reports an event in a signed request, which is processed as a job.

A source is a sender with a secret in `webhook_secrets`. A delivery is a request of a source. The signature schemes of
GitHub, Stripe and Standard Webhooks are supported. Two deliveries of a source with the same body are duplicates. With
Standard Webhooks, their signed ids must be the same, too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import re
import secrets as random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import Headers, WWWAuthenticate
from werkzeug.exceptions import BadRequest, NotFound, Unauthorized

from ..inference import InputError, ModelNotFound, ModelRepository
from .jobs import JobQueue, ResultsFile, StoreUnavailable, open_store
from .jobs.store import Job
from .settings import Settings
from .settings.sources import ConfigurationError

log = logging.getLogger("wsgi_core.webhooks")

SIGNATURE = "X-Hub-Signature-256"
"""GitHub's header: `sha256=` and the hexadecimal HMAC-SHA256 of the body."""

STRIPE = "Stripe-Signature"
"""Stripe's header: `t=TIME,v1=HEX`, where HEX is the HMAC-SHA256 of `TIME.BODY`."""

STANDARD = "Webhook-Signature"
"""The header of Standard Webhooks: `v1,BASE64` with the HMAC-SHA256 of `ID.TIME.BODY`. Spaces separate signatures."""

STANDARD_ID, STANDARD_TIME = "Webhook-Id", "Webhook-Timestamp"

DELIVERY = ("X-Delivery-ID", "X-GitHub-Delivery", STANDARD_ID)
"""The headers in which senders send the id of a delivery. The first header that is present is used."""

MAX_SIGNATURES = 10
"""The maximum number of signatures of a delivery that are compared. A sender sends two while it changes its secret."""

# RFC 9110, 15.5.2: a 401 response must name an authentication scheme. No scheme is registered for signed bodies.
_SCHEME = WWWAuthenticate("hmac-sha256", {"header": SIGNATURE})

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_TIME = re.compile(r"\d{1,12}", re.ASCII)

# The signature for an unknown source is compared, too, so that the response time does not reveal which sources exist.
_NO_SECRET = random.token_bytes(32)


@dataclass(frozen=True, slots=True)
class _Claim:
    """The unchecked signatures of a delivery. The delivery is signed if one of `signatures` is the HMAC of `signed`.

    identity: two deliveries of a source with the same `identity` are duplicates
    timestamp: the signed Unix time, 0 if this time is not valid, or None if the scheme signs no time
    base64_secret: whether the secret may have the form `whsec_BASE64`
    """

    signatures: tuple[bytes, ...]
    signed: bytes
    identity: bytes
    timestamp: int | None = None
    base64_secret: bool = False


def sign(secret: bytes, body: bytes) -> str:
    """Return the value of the header `SIGNATURE` for a body (GitHub's scheme)."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def is_signed(environ: Mapping[str, Any]) -> bool:
    """Return whether a request has a signature header. The signature is not checked."""
    return any(f"HTTP_{name.upper().replace('-', '_')}" in environ for name in (SIGNATURE, STRIPE, STANDARD))


def unsigned() -> Unauthorized:
    """Return the error (401) for an unknown source, a missing signature or a wrong signature.

    The error is the same in all three cases, so that it does not reveal which sources exist.
    """
    return Unauthorized("The delivery is not signed with the secret of this source", www_authenticate=_SCHEME)


def read_delivery(
    secrets: Mapping[str, Any], source: str, headers: Headers, body: bytes, tolerance: float, read: Callable[[], object]
) -> Job:
    """Return a job for a delivery of `source`. `read` parses the body, and is called only if the signature is valid.

    Raises NotFound (404) if `secrets` is empty. Raises Unauthorized (401) if the body is not signed with the secret of
    `source`, or if a signed time differs from now by more than `tolerance` seconds. Raises BadRequest (400) if the
    delivery's id is not valid. `read` may raise further exceptions.
    """
    if not secrets:
        raise NotFound("This service does not accept webhooks")
    claim = _read_claim(headers, body)
    check_signature(secrets[source].get_secret_value().encode() if source in secrets else _NO_SECRET, claim)
    if source not in secrets:
        raise unsigned()
    if claim.timestamp is not None and abs(time.time() - claim.timestamp) > tolerance:
        raise Unauthorized("The delivery was signed too long ago, or a clock is wrong", www_authenticate=_SCHEME)
    key = hashlib.sha256(source.encode() + b"\0" + claim.identity).hexdigest()
    return Job(key, source, delivery_id(headers, body), read(), time.time())


def check_signature(secret: bytes, claim: _Claim) -> None:
    """Raise Unauthorized (401) if none of the claim's signatures was made with the secret."""
    expected = hmac.digest(_decoded(secret) if claim.base64_secret else secret, claim.signed, "sha256")
    # All signatures are compared, so that the response time does not reveal which signature matched.
    if not sum(hmac.compare_digest(expected, given) for given in claim.signatures):
        raise unsigned()


def delivery_id(headers: Headers, body: bytes) -> str:
    """Return the sender's id of a delivery, or the SHA-256 of the body if the sender gives no id.

    Raises BadRequest (400) if the id is not 1 to 128 letters, digits and the characters . _ : -
    """
    given = next((headers[name] for name in DELIVERY if name in headers), None)
    if given is None:
        return hashlib.sha256(body).hexdigest()
    if not _ID.fullmatch(given):
        raise BadRequest("The id of a delivery must consist of 1 to 128 letters, digits and the characters . _ : -")
    return given


def _read_claim(headers: Headers, body: bytes) -> _Claim:
    if STANDARD in headers:
        return _standard(headers, body)
    if STRIPE in headers:
        return _stripe(headers[STRIPE], body)
    name, _, value = headers.get(SIGNATURE, "").partition("=")
    return _Claim(tuple(_from_hex([value] if name == "sha256" else [])), body, body)


def _stripe(header: str, body: bytes) -> _Claim:
    parts = [part.strip().partition("=") for part in header.split(",")[: MAX_SIGNATURES + 1]]
    time_signed = next((value for name, _, value in parts if name == "t"), "")
    signatures = _from_hex(value for name, _, value in parts if name == "v1")
    # When Stripe resends an event, it signs the same body with a new time. So the time is not part of the identity.
    return _Claim(tuple(signatures), time_signed.encode("latin-1", "replace") + b"." + body, body, _time(time_signed))


def _standard(headers: Headers, body: bytes) -> _Claim:
    name, time_signed = headers.get(STANDARD_ID, ""), headers.get(STANDARD_TIME, "")
    given = [part.partition(",") for part in headers[STANDARD].split(" ")[:MAX_SIGNATURES]]
    signatures = tuple(_from_base64(value) for version, _, value in given if version == "v1")
    identity = name.encode("latin-1", "replace") + b"." + body
    signed = b".".join([name.encode("latin-1", "replace"), time_signed.encode("latin-1", "replace"), body])
    return _Claim(signatures, signed, identity, _time(time_signed), base64_secret=True)


def _time(text: str) -> int:
    return int(text) if _TIME.fullmatch(text) else 0


def _from_hex(values: Any) -> Iterator[bytes]:
    for value in values:
        try:
            yield bytes.fromhex(value) if len(value) == 64 else b""
        except ValueError:
            yield b""


def _from_base64(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _decoded(secret: bytes) -> bytes:
    """Return the key in a secret of the form `whsec_BASE64`. Any other secret is the key itself."""
    found = _from_base64(secret.removeprefix(b"whsec_").decode("latin-1"))
    return found if secret.startswith(b"whsec_") and found else secret


class PredictJob:
    """Runs the jobs of webhooks: the model `name` predicts the payload, which has the format of `/predict`.

    A call returns the outcome for the results file. If the payload is not valid or the model is not served, the outcome
    has an `error`.
    """

    def __init__(self, models: ModelRepository, name: str = "churn") -> None:
        self._models = models
        self._name = name

    def __call__(self, job: Job) -> dict[str, Any]:
        try:
            outcome = self._models.get(self._name).predict(job.payload)
        except (InputError, ModelNotFound) as error:
            outcome = {"error": str(error)}
        log.info("webhook %s %s: %s", job.source, job.id, "refused" if "error" in outcome else "predicted")
        return {"source": job.source, "delivery": job.id, **outcome}


def open_jobs(settings: Settings, models: ModelRepository) -> JobQueue:
    """Open the job store, and return a started queue for the jobs of webhooks.

    Raises ConfigurationError if the job store is not available.
    """
    password = settings.job_store_password.get_secret_value() if settings.job_store_password else None
    results = ResultsFile(settings.webhook_results) if settings.webhook_results else None
    try:
        store = open_store(settings.job_store, password, settings.webhook_results)
        store.check_durable()
    except StoreUnavailable as error:
        raise ConfigurationError([f"job_store: {error}"]) from error
    queue = JobQueue(store, PredictJob(models), results, settings.webhook_queue)
    queue.start()
    return queue
