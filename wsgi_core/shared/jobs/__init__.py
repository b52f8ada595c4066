"""Durable jobs: an accepted job is stored, and runs at least once, even if the process that runs it is killed.

The service makes a job from each webhook whose signature is valid. The results file has at most one outcome for each
job. A job that cannot be finished becomes a dead letter. An operator can retry or purge the dead letter.
"""

from .queue import JobQueue as JobQueue
from .queue import QueueFull as QueueFull
from .results import ResultsFile as ResultsFile
from .store import JobStore as JobStore
from .store import StoreUnavailable as StoreUnavailable
from .store import open_store as open_store
