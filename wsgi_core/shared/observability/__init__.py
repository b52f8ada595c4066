"""Observability of the service: metrics, logs, and the time that a request spends in each phase."""

from .observation import Observation as Observation
from .observation import begin_request as begin_request
from .observation import observed_request as observed_request
