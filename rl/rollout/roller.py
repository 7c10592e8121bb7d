"""One episode of the run's agent: what rollouts and measurements ask for, and how `agentgym.rollout` is asked.

It knows neither groups nor what an episode is for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

from agentgym.env import Episode, EpisodeConfig
from agentgym.gateway import Gateway
from agentgym.protocols import Model
from agentgym.rollout import Job
from agentgym.scaffold import Scaffold
from agentgym.scoring.checklist import read_checklist
from agentgym.scoring.score import score
from agentgym.task import Task
from agentgym.trajectory import Trajectory
from policy.entry import PolicyModel


class RollOut(Protocol):
    """One episode from its beginning to its end; `agentgym.rollout.rollout`, with everything but these bound."""

    def __call__(self, task: Task, attempt: int, watch: Callable[[Episode], None]) -> Trajectory: ...


class Keep(Protocol):
    """Is shown every trajectory, and keeps some of them to be looked at. Raises OSError."""

    def __call__(self, trajectory: Trajectory) -> None: ...


class Roll(Protocol):
    """`agentgym.rollout.rollout`, with the backend bound."""

    def __call__(
        self, job: Job, *, config: EpisodeConfig, gateway: Gateway, watch: Callable[[Episode], None]
    ) -> Trajectory: ...


class Roller:
    """Runs episodes of one agent on one model, as `rollouts.RollOut` wants them."""

    def __init__(
        self,
        roll: Roll,
        scaffold: Scaffold,
        model: PolicyModel,
        gateway: Gateway,
        config: EpisodeConfig,
        *,
        scores: bool = False,
    ):
        """`scores`: by the tasks' checklists too, as far as programs decide them."""
        self._roll, self._scaffold, self._gateway = roll, scaffold, gateway
        self._unlimited = self._model = model
        self._config, self._scores = config, scores

    def __call__(self, task: Task, attempt: int, watch: Callable[[Episode], None]) -> Trajectory:
        # replies of its own classes, which the gateway turns into ours
        job = Job(task, self._scaffold, cast("Model", self._model), attempt)
        trajectory = self._roll(job, config=self._config, gateway=self._gateway, watch=watch)
        if not self._scores or task.checklist is None:
            return trajectory
        return score(read_checklist(task), trajectory)

    def limit(self, max_tokens: int) -> None:
        """Sampled by one episode, and by one reply, from the next one on."""
        reply_tokens = min(max_tokens, self._unlimited.options.max_tokens)
        self._model = self._unlimited.sampled(max_tokens=reply_tokens)
        self._config = self._config.model_copy(update={"max_tokens": max_tokens})


def fault(trajectory: Trajectory) -> str:
    """Of infrastructure; empty where the agent's own program failed, which is not run again."""
    if trajectory.settled:
        return ""
    if trajectory.error is not None:
        return f"{trajectory.task.name}: {trajectory.error.type}: {trajectory.error.message}"
    return f"{trajectory.task.name}: ended as {trajectory.stop_reason}, without a reward"
