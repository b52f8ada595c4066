"""Judge the noise of a run: quiet, noisy, too noisy for any claim, or unknown.

In a noisy run, small differences are not claimed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from loadtests.instrument.results import Results
from loadtests.report.analysis import NOISE_LIMIT, Summary

QUIET, NOISY, UNUSABLE, UNKNOWN = "quiet", "noisy", "too noisy", "not known"
# If one of these shares is exceeded, nothing is claimed: how much an app appears to differ from itself, how long the
# processes waited for a CPU, and how much CPU time the host took.
MAX_REACH = 0.15
MAX_WAITED = 0.25
MAX_STOLEN = 0.05
# If the processes waited for a CPU longer than this share of their time, the run is noisy.
WAITED = 0.05


@dataclass(frozen=True)
class Noise:
    """The verdict on the noise of a run, with its reasons."""

    verdict: str
    reasons: list[str]

    @property
    def unusable(self) -> bool:
        """Whether the run is so noisy that no difference may be claimed."""
        return self.verdict == UNUSABLE

    @property
    def sentence(self) -> str:
        why = "; ".join(self.reasons)
        if self.verdict == UNKNOWN:
            return f"The noise is unknown: {why}."
        if self.verdict == QUIET:
            return f"The machine was quiet: {why}."
        if self.unusable:
            return f"The machine was too noisy, so no difference is claimed: {why}."
        return f"The machine was noisy: {why}. Smaller differences are not claimed."


def judge(results: Results, summary: Summary) -> Noise:
    """Return the verdict on the noise of a run."""
    reach, waited, stolen = _reach(summary), summary.waited, _stolen(results)
    reasons = ["no application was measured against itself in this run"]
    if reach is not None:
        differs = f"by up to {reach:.1%}" if math.isfinite(reach) else "by an unknown amount"
        reasons = [f"an application measured against itself appeared to differ {differs}"]
    if waited > WAITED:
        reasons.append(f"the measuring processes waited {waited:.0%} of their time for a CPU")
    if stolen > MAX_STOLEN / 5:
        reasons.append(f"the host took {stolen:.0%} of the CPU time")
    known = reach or 0.0
    if known > MAX_REACH or waited > MAX_WAITED or stolen > MAX_STOLEN:
        return Noise(UNUSABLE, reasons)
    if known > NOISE_LIMIT or waited > WAITED:
        return Noise(NOISY, reasons)
    return Noise(UNKNOWN if reach is None else QUIET, reasons)


def _reach(summary: Summary) -> float | None:
    """Return the median noise of the experiments that measure an application twice, or None if there are none.

    If the number of these experiments is even, return the larger of the two middle values.
    """
    reaches = sorted(one.reach for one in summary.experiments if one.itself)
    return reaches[len(reaches) // 2] if reaches else None


def _stolen(results: Results) -> float:
    """Return the CPU time that the host took from this virtual machine, as a share of the CPU time of all CPUs.

    Return 0 if the system does not report this time, or if the run is not complete. If the run was resumed, the share
    is not exact, because the time of the pause counts too.
    """
    before, after = (part.get("stolen_seconds", 0.0) for part in (results.environment, results.environment_after))
    # The stolen seconds are the sum over all CPUs.
    available = results.seconds * (results.environment.get("threads") or 1)
    return max(0.0, float(after - before)) / available if results.environment_after and available else 0.0
