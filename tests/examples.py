"""Set how many examples Hypothesis draws: a tenth in a usual run, all of them with HYPOTHESIS_PROFILE=all."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings

_ALL = 100  # Hypothesis' default; the share is relative to it

# Without time limits, because a shared machine may be slow.
_UNTIMED: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "print_blob": True}

# The same examples in each run, so that a new failure comes from a change. The profile "random" draws new examples.
settings.register_profile("tests", derandomize=True, max_examples=10, **_UNTIMED)
settings.register_profile("all", derandomize=True, max_examples=_ALL, **_UNTIMED)
settings.register_profile("random", max_examples=_ALL, **_UNTIMED)


def load_profile() -> None:
    """Load the profile that HYPOTHESIS_PROFILE names. This must precede all calls of `examples`."""
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))


def examples(count: int, *allowed: HealthCheck) -> settings:
    """Return settings that draw `count` examples with the profile "all", and a share of `count` with other profiles."""
    share = settings.default.max_examples / _ALL
    return settings(max_examples=max(5, round(count * share)), suppress_health_check=[HealthCheck.too_slow, *allowed])
