"""Durable jobs: an accepted job is stored, and runs at least once, even if a process is killed.

The service makes a job from each valid webhook. The results file gets at most one outcome for each job. If a job fails
repeatedly, the job becomes a dead letter, which an operator can retry or purge.
"""

from .queue import JobQueue as JobQueue
from .queue import QueueFull as QueueFull
from .results import ResultsFile as ResultsFile
from .store import JobStore as JobStore
from .store import StoreUnavailable as StoreUnavailable
from .store import open_store as open_store
