"""Scored runs, made by hand: what was found of each item is what the test says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentgym.protocols import StopReason
from agentgym.scoring.compliance import compliance
from agentgym.scoring.report import ScoredRun
from agentgym.trajectory import Failure, Outcome, TaskRef, Trajectory
from agentgym.verdict import Evidence, ItemVerdict, Result
from tests.trajectories import make_trajectory

ITEMS = {
    "emoji": ("system_prompt", "must", "no_emoji"),
    "read": ("project_file", "must", "read_before_edit"),
    "tone": ("user_query", "should", "judge"),
}


def verdict(item: str, result: Result, *, by_query: tuple[Result, ...] = (), turn: int | None = None) -> ItemVerdict:
    source, severity, kind = ITEMS[item]
    evidence = () if turn is None else (Evidence(turn=turn, call=turn, quote="here it is"),)
    return ItemVerdict(
        item=item, result=result, why="since", evidence=evidence, by_query=by_query,
        source=source, severity=severity, kind=kind, statement=f"About {item}.",
    )  # fmt: skip


def trajectory(
    results: Mapping[str, Result] | list[ItemVerdict],
    *,
    task: str = "t",
    reward: float | None = 1.0,
    stop_reason: StopReason | None = StopReason.SUBMITTED,
    **values: Any,
) -> Trajectory:
    """A scored trajectory."""
    found = results if isinstance(results, list) else [verdict(item, result) for item, result in results.items()]
    bare = make_trajectory("one", "two", "three", stop_reason=stop_reason, **values)
    outcome = Outcome(reward=reward, checklist=found, compliance=compliance(found, bare))
    ref = TaskRef(name=task, checksum=f"sum of {task}", suite="demo")
    return bare.model_copy(update={"outcome": outcome, "task": ref})


def run(results: Mapping[str, Result] | list[ItemVerdict], **values: Any) -> ScoredRun:
    return ScoredRun.model_validate(trajectory(results, **values))


def lost(task: str = "t") -> ScoredRun:
    """One that infrastructure broke off."""
    failure = Failure(owner="sandbox", type="SandboxLost", message="it is gone\nreally")
    return run({"emoji": "error"}, task=task, reward=None, stop_reason=StopReason.SANDBOX_LOST, error=failure)
