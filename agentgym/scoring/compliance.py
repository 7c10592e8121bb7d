"""What the verdicts of one run come to. It decides nothing itself and knows no suites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from agentgym.protocols import StopReason
from agentgym.trajectory import Trajectory
from agentgym.verdict import Compliance, Verdict


def compliance(verdicts: Iterable[Verdict], trajectory: Trajectory) -> Compliance:
    """A run that its agent did not bring to an end counts as failed, and what could not be decided in it as broken; of
    one that infrastructure broke off nothing is known."""
    counts = Counter(verdict.result for verdict in verdicts)
    n_pass, n_fail, n_error = counts["pass"], counts["fail"], counts["error"]
    isr: bool | None = not n_fail
    n_decided = n_pass + n_fail
    if broke_off(trajectory):
        isr, n_decided = None, 0
    elif trajectory.stop_reason not in (StopReason.SUBMITTED, StopReason.SOLVED):
        isr, n_decided = False, n_decided + n_error
    elif n_error and not n_fail:
        isr = None
    return Compliance(
        isr=isr,
        csr=n_pass / n_decided if n_decided else None,
        n_pass=n_pass,
        n_fail=n_fail,
        n_error=n_error,
        n_not_applicable=counts["not_applicable"],
    )


def broke_off(trajectory: Trajectory) -> bool:
    """Whether it is not the agent's doing that there is no more of it: it can be run again."""
    return trajectory.stop_reason is None or not trajectory.stop_reason.is_graded
