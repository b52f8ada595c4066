"""How many examples hypothesis draws: a share in the usual run, all of them with HYPOTHESIS_PROFILE=all."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings

_ALL = 100  # hypothesis' own number, to which each test's number refers

# The speed of a shared machine is no property of the code under test.
_UNTIMED: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "print_blob": True}

# The same examples in each run, so that a failure is the change's; the profile "random" looks for new ones.
settings.register_profile("tests", derandomize=True, max_examples=10, **_UNTIMED)
settings.register_profile("all", derandomize=True, max_examples=_ALL, **_UNTIMED)
settings.register_profile("random", max_examples=_ALL, **_UNTIMED)


def load_profile() -> None:
    """Take the profile that the environment names, before a test's settings are made from it."""
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))


def examples(count: int, *allowed: HealthCheck) -> settings:
    """Settings for a test that draws `count` examples in the profile "all", and the profile's share of them else."""
    share = settings.default.max_examples / _ALL
    return settings(max_examples=max(5, round(count * share)), suppress_health_check=[HealthCheck.too_slow, *allowed])
