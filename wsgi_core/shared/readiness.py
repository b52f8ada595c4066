"""Whether an application is ready for new requests. The server sets this state, and the readiness routes report it."""

from __future__ import annotations


class Readiness:
    """The readiness of an application, which is ready until `stop` is called."""

    def __init__(self) -> None:
        self.stopping = False

    @property
    def ready(self) -> bool:
        """Whether load balancers should send new requests. The application answers requests in both cases."""
        return not self.stopping

    def stop(self) -> None:
        """Make the application permanently not ready. Thread-safe."""
        self.stopping = True
