"""A group: the rollouts of one task that are compared with each other, and what they become for the trainer.

It holds all that training needs and nothing of trajectories, so that it survives JSON, a state and a restart. How
groups are run and which of them train is not known here.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Sequence
from typing import Self

from agentgym.trajectory import Trajectory
from agentgym.views.samples import Sample, samples
from rl.frozen import Frozen
from rl.learner.sample import TrainingSample
from rl.objective.advantage import AdvantageConfig, Spread, advantages, spread
from rl.objective.reward import RewardConfig, call_rewards

PASSED = 1.0
"""The reward from which a rollout counts as a success."""


class Member(Frozen):
    """One rollout that ended by the model's own doing and was graded."""

    reward: float
    """The verifier's."""
    stop_reason: str
    samples: tuple[Sample, ...]
    process: tuple[float, ...]
    """One a model call: -1 where an action of it was the model's mistake, else 0."""
    n_tokens: int
    """Sampled, all calls together."""
    duration_s: float
    compliance: float | None = None
    """The share of its checklist that was kept to; None where that is not weighed, or there is none."""

    @classmethod
    def of(cls, trajectory: Trajectory) -> Self | None:
        """None: infrastructure or the agent's program failed, or the model was never asked: nothing can be learnt.

        Raises UsageError where the model shows no token ids.
        """
        reward, ended, outcome = trajectory.reward, trajectory.stop_reason, trajectory.outcome
        if reward is None or ended is None or not ended.trains or trajectory.error is not None:
            return None
        paths = tuple(samples(trajectory.calls))
        if not paths:
            return None
        timing = trajectory.timing
        return cls(
            reward=reward,
            stop_reason=ended.value,
            samples=paths,
            process=_process(trajectory),
            n_tokens=sum(sum(sample.loss_mask) for sample in paths),
            duration_s=timing.agent_s + timing.model_s,
            compliance=outcome.compliance.csr if outcome is not None and outcome.compliance is not None else None,
        )


class Group(Frozen):
    slot: int
    """Its place in the queue."""
    task: str
    """The curriculum's candidate."""
    members: tuple[Member | None, ...]

    @property
    def graded(self) -> list[Member]:
        return [member for member in self.members if member is not None]

    def spread(self, reward: RewardConfig) -> Spread:
        """By what would train: the verifier's rewards and the terms that are weighed beside them."""
        return spread([sum(_rewards(member, self.graded, reward)) for member in self.graded])

    @property
    def passes(self) -> int:
        return sum(member.reward >= PASSED for member in self.graded)

    def shuffled(self, seed: int) -> Group:
        """Rewards, and what the calls earned, dealt out at random among the members."""
        earned = [(member.reward, sum(member.process)) for member in self.graded]
        random.Random(f"shuffle {seed} {self.slot}").shuffle(earned)
        dealt = iter(earned)
        members = (member and _earning(member, *next(dealt)) for member in self.members)
        return self.model_copy(update={"members": tuple(members)})


def training_samples(
    groups: Sequence[Group], reward: RewardConfig, advantage: AdvantageConfig
) -> list[list[TrainingSample]]:
    """Of a batch, group by group. Rollouts and groups are numbered through it.

    ValueError: a group has less than two members that were graded.
    """
    graded = [group.graded for group in groups]
    compared = advantages([[_rewards(member, members, reward) for member in members] for members in graded], advantage)
    made: list[list[TrainingSample]] = []
    n_rollouts = 0
    for number, (members, of_members) in enumerate(zip(graded, compared, strict=True)):
        made.append([])
        for member, of_calls in zip(members, of_members, strict=True):
            assert of_calls is not None  # graded members have rewards
            for sample in member.samples:
                tokens = list(_of_tokens(sample, of_calls))
                made[-1].append(TrainingSample.of(sample, tokens, rollout=n_rollouts, group=number))
            n_rollouts += 1
    return made


def _rewards(member: Member, members: Sequence[Member], config: RewardConfig) -> list[float]:
    return call_rewards(
        member.reward,
        member.process,
        config,
        n_tokens=member.n_tokens,
        compliance=member.compliance,
        completion_s=member.duration_s,
        baseline_s=statistics.median(other.duration_s for other in members),
    )


def _earning(member: Member, reward: float, process: float) -> Member:
    """`process` falls to its last call."""
    return member.model_copy(update={"reward": reward, "process": (*(0.0 for _ in member.process[1:]), process)})


def _of_tokens(sample: Sample, of_calls: Sequence[float]) -> Iterator[float]:
    """A call's advantage at each token it sampled; between what two calls sampled there is always a prompt."""
    run = -1
    for before, trains in zip((False, *sample.loss_mask), sample.loss_mask, strict=False):
        if trains:
            run += not before
            yield of_calls[sample.calls[run]]


def _process(trajectory: Trajectory) -> tuple[float, ...]:
    """Turns and calls are the same where a scaffold asks through its episode and nothing failed."""
    turns, calls = trajectory.turns, trajectory.calls
    if len(turns) != len(calls):
        return (0.0,) * len(calls)
    return tuple(-1.0 if any(step.is_error for step in turn.steps) else 0.0 for turn in turns)
