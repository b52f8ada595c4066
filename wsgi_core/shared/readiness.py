"""Whether this process wants requests: the server says so, the readiness routes tell it to load balancers."""

from __future__ import annotations


class Readiness:
    """One for each application, as ``app.extensions["readiness"]``.

    A process is ready from the start, for an application exists only when its models are loaded and warmed up.
    """

    def __init__(self) -> None:
        self.stopping = False

    @property
    def ready(self) -> bool:
        """Whether new requests are welcome; those that come all the same are answered."""
        return not self.stopping

    def stop(self) -> None:
        """From now on, and for good, not ready. Any thread may call this, more than once."""
        self.stopping = True
