"""Durable jobs: an accepted job is stored, and runs at least once, even if the process that runs it is killed.

The service makes a job from each webhook whose signature is valid. The results file has at most one outcome for each
job. A job that the workers give up becomes a dead letter, which an operator can retry or purge.
"""

from .queue import JobQueue as JobQueue
from .queue import QueueFull as QueueFull
from .results import ResultsFile as ResultsFile
from .store import JobStore as JobStore
from .store import StoreUnavailable as StoreUnavailable
from .store import open_store as open_store
