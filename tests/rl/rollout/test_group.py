"""From trajectories to training samples: whose advantage a token has, and what never trains."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agentgym.call import Call, CallTokens
from agentgym.errors import AgentError, ModelError
from agentgym.protocols import StopReason
from agentgym.trajectory import Failure, Outcome, StepRecord, TaskRef, Trajectory, Turn
from rl.objective.advantage import AdvantageConfig, Spread
from rl.objective.reward import RewardConfig
from rl.rollout.group import Group, Member, training_samples

NOW = datetime.now(UTC)


def call(prompt: list[int], sampled: list[int], *, parent: int | None = None, n_shared: int = 0) -> Call:
    tokens = CallTokens(
        n_shared=n_shared,
        prompt=prompt,
        sampled=sampled,
        logprobs=[-0.5] * len(sampled),
        versions=[(0, len(sampled))],
        texts=["x"] * len(sampled),
    )
    return Call(parent=parent, reply={"role": "assistant", "content": "x"}, tokens=tokens, started_at=NOW)


def turn(*, mistaken: bool = False) -> Turn:
    step = StepRecord(name="edit", started_at=NOW, duration_s=0.0, is_error=mistaken)
    return Turn(message={"role": "assistant", "content": "x"}, started_at=NOW, duration_s=0.0, steps=[step])


def trajectory(reward: float | None = 1.0, **more: Any) -> Trajectory:
    """Three calls, each going on from the last; the second made a mistake."""
    fields: dict[str, Any] = {
        "calls": [
            call([1, 2], [3, 4]),
            call([5], [6], parent=0, n_shared=4),
            call([7, 8], [9, 10, 11], parent=1, n_shared=6),
        ],
        "turns": [turn(), turn(mistaken=True), turn()],
        "stop_reason": StopReason.SUBMITTED,
        **more,
    }
    return Trajectory(
        id="a", task=TaskRef(name="t", checksum="c"), scaffold="s", model="m", backend="b", started_at=NOW,
        outcome=Outcome(reward=reward), **fields,
    )  # fmt: skip


def group(*members: Member | None, slot: int = 0) -> Group:
    return Group(slot=slot, task="t", members=members)


def member(reward: float, **more: Any) -> Member:
    made = Member.of(trajectory(reward, **more))
    assert made is not None
    return made


def test_members() -> None:
    made = member(1.0)
    assert made.process == (0.0, -1.0, 0.0)
    assert made.n_tokens == 6
    assert [sample.ids for sample in made.samples] == [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]]
    assert Member.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    "broken",
    [
        {"reward": None},
        {"stop_reason": StopReason.SANDBOX_LOST, "reward": None},
        {"error": Failure.of(ModelError("gone"))},
        {"stop_reason": StopReason.AGENT_ERROR, "error": Failure.of(AgentError("crashed"))},
        {"stop_reason": None},
        {"calls": [], "turns": []},
    ],
    ids=lambda broken: next(iter(broken)),
)
def test_what_is_not_the_models_own_doing_is_no_member(broken: dict[str, Any]) -> None:
    assert Member.of(trajectory(**broken)) is None


def test_a_token_has_the_advantage_of_its_call() -> None:
    """By hand: rewards-to-go with half of what each call's mistakes cost, minus the mean return."""
    flawless = member(0.0, turns=[turn(), turn(), turn()])
    reward, advantage = RewardConfig(process_weight=0.5), AdvantageConfig(divide_by="nothing", discount=0.5)
    [[first, second]] = training_samples([group(member(1.0), None, flawless)], reward, advantage)
    # rewards of the first: 0, -0.5, 1
    returns, baseline = (0.0, 0.0, 1.0), 0.0
    assert first.advantages == [r - baseline for r, n in zip(returns, (2, 1, 3), strict=True) for _ in range(n)]
    assert second.advantages == [0.0] * 6
    assert (first.rollout, second.rollout, first.group) == (0, 1, 0)
    assert first.sampler_logprobs == [-0.5] * 6


def test_batches_number_their_rollouts_and_groups() -> None:
    groups = [group(member(1.0), member(0.0), slot=slot) for slot in (5, 9)]
    made = training_samples(groups, RewardConfig(), AdvantageConfig())
    assert [(sample.rollout, sample.group) for of_group in made for sample in of_group] == [
        (0, 0),
        (1, 0),
        (2, 1),
        (3, 1),
    ]
    assert [sample.advantages[0] for of_group in made for sample in of_group] == [1.0, -1.0] * 2


def test_groups() -> None:
    assert group(member(1.0), member(0.0)).spread(RewardConfig()) is Spread.VARIED
    assert group(member(1.0), None).spread(RewardConfig()) is Spread.TOO_FEW
    assert group(member(1.0), member(0.0), member(1.0), None).passes == 2

    flawless = member(0.0, turns=[turn(), turn(), turn()])
    failed = group(member(0.0), flawless)
    assert failed.spread(RewardConfig()) is Spread.ALL_FAILED
    assert failed.spread(RewardConfig(process_weight=0.1)) is Spread.VARIED
    dealt = [{each.process for each in group(member(0.0), flawless, slot=slot).shuffled(3).graded} for slot in range(9)]
    assert dealt == [{(0.0, 0.0, -1.0), (0.0, 0.0, 0.0)}] * 9


def test_shuffled_rewards() -> None:
    shuffled = [group(member(1.0), None, member(0.0), member(0.0), slot=slot).shuffled(3) for slot in range(20)]
    rewards = [[each and each.reward for each in made.members] for made in shuffled]
    assert all(sorted(each.reward for each in made.graded) == [0.0, 0.0, 1.0] for made in shuffled)
    assert all(of_group[1] is None for of_group in rewards)
    assert len({tuple(of_group) for of_group in rewards}) == 3
