"""Durable jobs: an accepted job is stored, and is executed at least once, even if its process is killed.

A delivery becomes a job after its signature is verified. A job ends when its outcome is recorded, which happens once.
A job that fails too often becomes a dead letter.
"""

from .queue import JobQueue as JobQueue
from .queue import QueueFull as QueueFull
from .results import ResultsFile as ResultsFile
from .store import JobStore as JobStore
from .store import StoreUnavailable as StoreUnavailable
from .store import open_store as open_store
