"""Durable jobs: accepted means committed to disk, done at least once, recorded once.

A delivery gets here when its signature was checked. It leaves when its outcome is recorded, or as a dead letter.
"""

from .queue import JobQueue as JobQueue
from .queue import QueueFull as QueueFull
from .results import ResultsFile as ResultsFile
from .store import JobStore as JobStore
from .store import StoreUnavailable as StoreUnavailable
from .store import open_store as open_store
