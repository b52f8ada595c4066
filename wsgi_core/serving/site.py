"""The state that all connections of a server share."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..shared.settings import Settings
from . import body_buffer
from .admission import Admission
from .body_buffer import BodyBudget, ByteBudget
from .dispatcher import TaskDispatcher
from .early import EarlyResponses
from .parser import Limits
from .protocols import HeadCheck, WSGIApplication
from .proxies import TrustedProxies
from .task import Dates


class Site:
    """The application, its limits, and the counters that cover all connections of the server."""

    ident = "wsgi_core"
    server_line = f"Server: {ident}"

    def __init__(
        self,
        app: WSGIApplication,
        settings: Settings,
        *,
        monitoring: Collection[str] = (),
        health: Collection[str] = (),
        body_limits: Mapping[str, int] | None = None,
        check_head: HeadCheck | None = None,
    ) -> None:
        self.app = app
        self.settings = settings
        self.monitoring = frozenset(monitoring)
        self.health = frozenset(health)
        self.check_head = check_head
        self.bodies = BodyBudget(settings.max_body_disk, body_buffer.MEMORY_LIMIT)
        self.unsent = ByteBudget(settings.max_unsent)
        self.limits = Limits(
            max_header_bytes=settings.max_header_bytes,
            max_headers=settings.max_headers,
            max_content_length=settings.max_content_length,
            body_limits=dict(body_limits or {}),
            bodies=self.bodies,
        )
        self.admission = Admission(
            threads=settings.threads,
            max_waiting=settings.max_waiting,
            max_wait=settings.max_wait,
            per_client=settings.max_per_client,
            retry_after=settings.retry_after,
        )
        self.dispatcher = TaskDispatcher(settings, self.admission, self.unsent)
        self.proxies = TrustedProxies(settings)
        self.early = EarlyResponses(settings)
        self.date_line = Dates().line
