"""Durable jobs: an accepted job is committed to disk, executed at least once, and recorded exactly once.

A delivery becomes a job after its signature is verified. The job ends when its outcome is recorded, or when it becomes
a dead letter.
"""

from .queue import JobQueue as JobQueue
from .queue import QueueFull as QueueFull
from .results import ResultsFile as ResultsFile
from .store import JobStore as JobStore
from .store import StoreUnavailable as StoreUnavailable
from .store import open_store as open_store
