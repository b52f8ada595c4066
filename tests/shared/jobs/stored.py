"""Jobs for the tests of their queue and their store."""

from __future__ import annotations

import time

from wsgi_core.shared.jobs.store import Job


def job(number: int, source: str = "crm") -> Job:
    return Job(f"{source}-{number}", source, f"{number}", {"number": number}, time.time())
