"""What a run came to: rewards for each agent, and apart from them what has no reward and why."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agentgym.cli.console import seconds, stdout, table
from agentgym.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Group:
    """The episodes of one scaffold with one model."""

    scaffold: str
    model: str
    n: int
    n_solved: int
    """Reward 1 or more."""
    n_unknown: int
    """Without a reward; they count in no mean."""
    reward_mean: float | None
    stop_reasons: dict[str, int]
    seconds_median: float
    overhead_s_median: float
    """Of what is neither sandbox, agent, model nor grading."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """An episode without a reward."""

    task: str
    scaffold: str
    attempt: int
    owner: str
    message: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Of the newest trajectory for each piece of work that was asked for, rolled out now or before."""

    out: Path
    n_wanted: int
    trajectories: tuple[Trajectory, ...]
    unbuilt: Mapping[str, str]
    """Task to why its image cannot be built."""
    interrupted: bool
    one_task: bool

    @property
    def groups(self) -> list[Group]:
        agents = dict.fromkeys((t.scaffold, t.model) for t in self.trajectories)
        return [_group(*agent, [t for t in self.trajectories if (t.scaffold, t.model) == agent]) for agent in agents]

    @property
    def unknown(self) -> list[Unknown]:
        return list(_unknown(self.trajectories))

    def exit_code(self) -> int:
        """See `run`."""
        owners = {unknown.owner for unknown in self.unknown}
        if self.interrupted:
            return 130
        if owners - {"task", "caller"}:
            return 3
        if owners or self.unbuilt:
            return 2
        return int(self.one_task and any(t.reward is not None and t.reward < 1 for t in self.trajectories))

    def as_json(self) -> dict[str, Any]:
        return {
            "out": str(self.out),
            "wanted": self.n_wanted,
            "finished": len(self.trajectories),
            "interrupted": self.interrupted,
            "groups": [asdict(group) for group in self.groups],
            "unknown": [asdict(unknown) for unknown in self.unknown],
            "unbuilt": dict(self.unbuilt),
        }

    def show(self) -> None:
        """On stdout."""
        shown = table(["scaffold", "model", "n>", "reward>", "solved>", "unknown>", "median>", "overhead>", "ended by"])
        for group in self.groups:
            shown.add_row(
                group.scaffold,
                group.model,
                str(group.n),
                "-" if group.reward_mean is None else f"{group.reward_mean:.3f}",
                str(group.n_solved),
                str(group.n_unknown),
                seconds(group.seconds_median),
                f"{1000 * group.overhead_s_median:.0f} ms",
                ", ".join(f"{reason} {n}" for reason, n in group.stop_reasons.items()),
            )
        if self.trajectories:
            stdout().print(shown)
        if self.unknown or self.unbuilt:
            self._show_unknown()

    def _show_unknown(self) -> None:
        shown = table(["task", "scaffold", "attempt>", "whose", "what"], title="Without a reward")
        for unknown in self.unknown:
            row = (unknown.task, unknown.scaffold, str(unknown.attempt), unknown.owner, unknown.message)
            shown.add_row(*row)
        for task, why in self.unbuilt.items():
            shown.add_row(task, "", "", "task", why.splitlines()[0])
        stdout().print(shown)


def _group(scaffold: str, model: str, trajectories: list[Trajectory]) -> Group:
    rewards = [t.reward for t in trajectories if t.reward is not None]
    reasons = Counter(t.stop_reason.value if t.stop_reason else "broke off" for t in trajectories)
    return Group(
        scaffold=scaffold,
        model=model,
        n=len(trajectories),
        n_solved=sum(reward >= 1 for reward in rewards),
        n_unknown=len(trajectories) - len(rewards),
        reward_mean=statistics.fmean(rewards) if rewards else None,
        stop_reasons=dict(reasons.most_common()),
        seconds_median=statistics.median(_seconds(t) for t in trajectories),
        overhead_s_median=statistics.median(t.timing.overhead_s for t in trajectories),
    )


def _seconds(trajectory: Trajectory) -> float:
    timing = trajectory.timing
    return timing.sandbox_s + timing.agent_s + timing.model_s + timing.grading_s + timing.overhead_s


def _unknown(trajectories: tuple[Trajectory, ...]) -> Iterator[Unknown]:
    for t in trajectories:
        if t.reward is None:
            owner = t.error.owner if t.error else "grader"
            message = t.error.message.splitlines()[0] if t.error and t.error.message else "no reason was recorded"
            yield Unknown(t.task.name, t.scaffold, t.attempt, owner, message)
