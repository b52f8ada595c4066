"""A Locust test of ``POST /predict``: each user waits for a response before it sends the next row.

Run this file with Locust's web page, without the web page, or distributed over machines:

    locust -f loadtests/locustfile.py --host http://127.0.0.1:8080
    locust -f loadtests/locustfile.py --host http://127.0.0.1:8080 --headless -u 4 -t 30s
    locust -f loadtests/locustfile.py --master        and, elsewhere:  ... --worker --master-host ADDRESS

``distributed.md`` explains how to distribute the measured runs over machines.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant, constant_throughput, events, task

# Locust puts this file's folder on the path. The package is in the folder above, which must come first.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loadtests.load import window
from loadtests.rows import churn_rows

HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_arguments(parser: Any) -> None:
    """Add the option ``--rate`` to Locust's command line and web page."""
    parser.add_argument(
        "--rate", type=float, default=0.0, help="Requests a second that each user sends at most; 0 means no limit."
    )


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def keep_pace(environment: Any, **_: Any) -> None:
    """Limit each user to the rate of the option ``--rate`` when the test starts."""
    set_pace(environment.parsed_options.rate)


def set_pace(rate: float) -> None:
    """Limit each user to ``rate`` requests a second. If ``rate`` is 0, a user does not pause between requests."""
    PredictUser.wait_time = constant_throughput(rate) if rate else constant(0)


class PredictUser(FastHttpUser):
    """A client that keeps its connection open and sends one prediction request after another."""

    bodies = itertools.cycle([json.dumps(row) for row in window.rows() or churn_rows().rows])

    @task
    def predict(self) -> None:
        self.client.post("/predict", data=next(self.bodies), headers=HEADERS)


window.install(set_pace)
