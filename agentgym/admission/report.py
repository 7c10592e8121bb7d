"""What an admission finds, as data that survives JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agentgym.call import Record
from agentgym.protocols import StopReason
from agentgym.trajectory import Failure, TaskRef, TestVerdict, Trajectory

Status = Literal["ok", "warning", "skipped", "refused", "unknown"]
"""refused: the task is at fault. unknown: the machine is (a sandbox failed), and it is worth another try."""


class Run(Record):
    """One rollout of an admission."""

    agent: str
    """gold, nop, or a probe's name."""
    repeat: int = 0
    reward: float | None
    stop_reason: StopReason | None
    failure: Failure | None = None
    fail_to_pass: dict[str, TestVerdict] = Field(default_factory=dict)
    pass_to_pass: dict[str, TestVerdict] = Field(default_factory=dict)
    detail: str = ""
    """The verifier's own words."""
    wall_s: float
    grading_s: float

    @classmethod
    def of(cls, agent: str, trajectory: Trajectory, wall_s: float) -> Run:
        """What matters of a trajectory here."""
        outcome = trajectory.outcome
        return cls(
            agent=agent,
            repeat=trajectory.attempt,
            reward=trajectory.reward,
            stop_reason=trajectory.stop_reason,
            failure=trajectory.error,
            fail_to_pass=outcome.fail_to_pass if outcome else {},
            pass_to_pass=outcome.pass_to_pass if outcome else {},
            detail=outcome.detail if outcome else "",
            wall_s=round(wall_s, 3),
            grading_s=round(trajectory.timing.grading_s, 3),
        )

    @property
    def infrastructure(self) -> str:
        """What the machine did to it, in words; empty when the run says something about the task."""
        lost = self.stop_reason in (StopReason.SANDBOX_LOST, StopReason.MODEL_ERROR)
        if self.failure and (lost or self.failure.owner in ("sandbox", "model", "scaffold")):
            return f"{self.agent}: {self.failure.type}: {self.failure.message}"
        return ""

    @property
    def trouble(self) -> str:
        """Why there is no reward, in words; empty when there is one."""
        return "" if self.reward is not None else self.failure.message if self.failure else "no reward"


class Finding(Record):
    """One thing looked at."""

    name: str
    status: Status
    detail: str = ""


class Admission(Record):
    """All of one task on one backend."""

    task: TaskRef
    backend: str
    verdict: Literal["admitted", "refused", "unknown"]
    findings: list[Finding]
    runs: list[Run]
    wall_s: float

    @classmethod
    def of(cls, task: TaskRef, backend: str, findings: list[Finding], runs: list[Run], wall_s: float) -> Admission:
        """The verdict follows from the findings: whatever is refused weighs more than what is unknown."""
        statuses = {finding.status for finding in findings}
        verdict: Literal["admitted", "refused", "unknown"] = "admitted"
        if "refused" in statuses:
            verdict = "refused"
        elif "unknown" in statuses:
            verdict = "unknown"
        return cls(task=task, backend=backend, verdict=verdict, findings=findings, runs=runs, wall_s=round(wall_s, 3))
