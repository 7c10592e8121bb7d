"""As much of a scored trajectory as a report needs: taken from a trajectory, or straight from its line in a file, of
which all the rest is stepped over."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator

from agentgym.protocols import StopReason
from agentgym.trajectory import Failure, TaskRef
from agentgym.verdict import Compliance, ItemVerdict, Judging


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class _Outcome(_Part):
    reward: float | None = None
    checklist: tuple[ItemVerdict, ...] = ()
    compliance: Compliance | None = None
    judging: Judging | None = None


class ScoredRun(_Part):
    """`ScoredRun.model_validate(trajectory)`, or `model_validate_json(line)`."""

    id: str
    task: TaskRef
    scaffold: str
    model: str
    attempt: int = 0
    stop_reason: StopReason | None = None
    outcome: _Outcome = _Outcome()
    error: Failure | None = None

    @field_validator("outcome", mode="before")
    @classmethod
    def _nothing_was_graded(cls, value: object) -> object:
        return _Outcome() if value is None else value

    @property
    def agent(self) -> tuple[str, str]:
        return self.scaffold, self.model

    @property
    def broke_off(self) -> bool:
        """Infrastructure's doing: nothing is known of it, and it can be run again."""
        return self.stop_reason is None or not self.stop_reason.is_graded

    @property
    def is_failed(self) -> bool:
        """The agent did not bring it to an end."""
        return not self.broke_off and self.stop_reason not in (StopReason.SUBMITTED, StopReason.SOLVED)

    @property
    def is_solved(self) -> bool:
        return self.outcome.reward is not None and self.outcome.reward >= 1

    @property
    def isr(self) -> bool | None:
        return self.outcome.compliance.isr if self.outcome.compliance else None
