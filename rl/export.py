"""Trajectories as rows for other trainers: prompt and response, and for each token of the response what a loss needs.

A row is one training sample, as the loop here would train on it: rewards, groups and advantages are made by the same
code. What a trainer does with it, and in which format it is kept, is not known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, repeat
from typing import Any, NamedTuple, Self

from agentgym.errors import UsageError
from agentgym.trajectory import Trajectory
from agentgym.views.samples import Sample
from rl.frozen import Frozen
from rl.learner.sample import TrainingSample
from rl.objective.advantage import AdvantageConfig
from rl.objective.reward import RewardConfig
from rl.rollout.group import Group, Member, training_samples


class Row(Frozen):
    trajectory: str
    """Its id; an agent that rewrote its history left several rows."""
    task: str
    group: int
    """Rollouts of one task that are compared with each other."""
    rollout: int
    reward: float
    """The verifier's, of the whole rollout."""
    stop_reason: str
    prompt_ids: list[int]
    """Up to the first token that trains."""
    response_ids: list[int]
    """The rest: what the policy sampled, and what it was told in between."""
    response_mask: list[int]
    """As all that follow one a token of the response: 1 where the policy sampled it and it trains in this row."""
    sampler_logprobs: list[float]
    """Under the distribution that was sampled from, natural logarithm; 0 outside the mask."""
    advantages: list[float]
    """0 outside the mask."""
    policy_versions: list[int]
    """Which one sampled it; -1 outside the mask."""

    @classmethod
    def of(cls, of: _Rollout, sample: Sample, trained: TrainingSample) -> Self:
        begin = sample.loss_mask.index(True)
        mask = sample.loss_mask[begin:]
        versions = chain.from_iterable(repeat(version, n) for version, n in sample.versions)

        def spread_out(values: Iterable[Any], beside: Any) -> list[Any]:
            left = iter(values)
            return [next(left) if trains else beside for trains in mask]

        return cls(
            trajectory=of.trajectory,
            task=of.task,
            group=trained.group,
            rollout=trained.rollout,
            reward=of.member.reward,
            stop_reason=of.member.stop_reason,
            prompt_ids=sample.ids[:begin],
            response_ids=sample.ids[begin:],
            response_mask=[int(trains) for trains in mask],
            sampler_logprobs=spread_out(sample.sampler_logprobs, 0.0),
            advantages=spread_out(trained.advantages, 0.0),
            policy_versions=spread_out(versions, -1),
        )


class _Rollout(NamedTuple):
    trajectory: str
    task: str
    member: Member


def rows(
    trajectories: Iterable[Trajectory],
    *,
    warn: Callable[[str], None],
    reward: RewardConfig | None = None,
    advantage: AdvantageConfig | None = None,
) -> Iterator[Row]:
    """Of every group with two rollouts that ended by the model's own doing and have a reward; `warn` is told of others.

    A group are the rollouts of one task by one agent; where their numbers (`attempt`) begin anew, another one begins.
    Raises UsageError where the model showed no token ids.
    """
    grouped = _grouped(trajectories, warn)
    groups = [
        Group(slot=slot, task=rollouts[0].task, members=tuple(rollout.member for rollout in rollouts))
        for slot, rollouts in enumerate(grouped)
    ]
    made = training_samples(groups, reward or RewardConfig(), advantage or AdvantageConfig())
    for rollouts, of_group in zip(grouped, made, strict=True):
        trained = iter(of_group)
        for rollout in rollouts:
            for sample in rollout.member.samples:
                yield Row.of(rollout, sample, next(trained))


def training_rows(trajectories: Iterable[Trajectory], warn: Callable[[str], None]) -> Iterator[Mapping[str, Any]]:
    """For `agentgym traj export --format training`, which reaches it by its entry point."""
    return (row.model_dump() for row in rows(trajectories, warn=warn))


def _grouped(trajectories: Iterable[Trajectory], warn: Callable[[str], None]) -> list[list[_Rollout]]:
    n_seen: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    found: defaultdict[tuple[Any, ...], list[_Rollout]] = defaultdict(list)
    n_without = 0
    for trajectory in trajectories:
        try:
            member = Member.of(trajectory)
        except UsageError as error:
            raise UsageError(f"trajectory {trajectory.id}: {error}") from None
        if member is None:
            n_without += 1  # the same number may have been run again
            continue
        *agent, _ = trajectory.key
        found[*agent, n_seen[trajectory.key]].append(_Rollout(trajectory.id, trajectory.task.name, member))
        n_seen[trajectory.key] += 1
    if n_without:
        warn(f"{n_without} left out that nobody learns from: without a reward, or ended by no doing of the model's")
    alone = [rollouts for rollouts in found.values() if len(rollouts) < 2]
    if alone:
        warn(f"{len(alone)} left out that have no group: no other rollout of the same task by the same agent")
    return [rollouts for rollouts in found.values() if len(rollouts) >= 2]
