"""Observability of the service: metrics, structured logs, and the time that each phase of a request takes.

This package does not depend on a framework.
"""

from .observation import Observation as Observation
from .observation import begin_request as begin_request
from .observation import observed_request as observed_request
