"""Rows for other trainers say what the loop here would train on, token by token."""

from __future__ import annotations

import random

import pytest

from agentgym.protocols import StopReason
from agentgym.trajectory import Trajectory
from rl.export import Row, rows, training_rows
from rl.objective.advantage import AdvantageConfig
from tests.rl.exported import rollout, unscored


def made(task: str, *rewards: float | None, n_turns: int = 1) -> list[Trajectory]:
    die = random.Random(task)
    return [rollout(die, task, number, reward, unscored, n_turns) for number, reward in enumerate(rewards)]


def quiet(text: str) -> None:
    raise AssertionError(text)


def test_a_row_is_aligned_token_by_token() -> None:
    trajectories = made("a", 1.0, 0.0, n_turns=2)
    row, other = rows(trajectories, warn=quiet)
    first, second = [call.tokens for call in trajectories[0].calls]
    assert first is not None
    assert second is not None
    assert row.prompt_ids == first.prompt
    assert row.response_ids == [*first.sampled, *second.prompt, *second.sampled]
    n, gap, m = len(first.sampled), len(second.prompt), len(second.sampled)
    assert row.response_mask == [1] * n + [0] * gap + [1] * m
    assert row.sampler_logprobs == [*first.logprobs, *[0.0] * gap, *second.logprobs]
    assert row.policy_versions == [0] * n + [-1] * gap + [1] * m
    assert row.advantages == [1.0] * n + [0.0] * gap + [1.0] * m
    assert set(other.advantages) == {0.0, -1.0}
    assert (row.trajectory, row.task, row.reward, row.stop_reason) == (trajectories[0].id, "a", 1.0, "submitted")


def test_groups_are_the_rollouts_of_one_task_from_one_dispatch() -> None:
    again = [rollout(random.Random(7), "a", number, reward, unscored, 1) for number, reward in enumerate((1.0, 1.0))]
    mixed = [*made("a", 1.0, 0.0), *made("b", 0.0, 0.5, 1.0), *again]
    random.Random(0).shuffle(mixed)
    found = list(rows(mixed, warn=quiet))
    groups = {row.group: sorted(other.task for other in found if other.group == row.group) for row in found}
    assert sorted(groups.values()) == [["a", "a"], ["a", "a"], ["b", "b", "b"]]
    assert len({row.rollout for row in found}) == 7
    for group in groups:
        advantages = [max(row.advantages, key=abs) for row in found if row.group == group]
        assert sum(advantages) == pytest.approx(0.0)


def test_advantages_are_those_of_the_loop() -> None:
    found = list(rows(made("a", 1.0, 0.0, 0.0, 0.0), warn=quiet, advantage=AdvantageConfig(divide_by="nothing")))
    assert [max(row.advantages, key=abs) for row in found] == [0.75, -0.25, -0.25, -0.25]


def test_what_cannot_be_compared_is_left_out_and_told_of() -> None:
    lost = made("b", 1.0)[0].model_copy(update={"stop_reason": StopReason.SANDBOX_LOST})
    said: list[str] = []
    found = list(training_rows([*made("a", 1.0, 0.0, None), lost, *made("c", 1.0)], said.append))
    assert [row["task"] for row in found] == ["a", "a"]
    assert said == [
        "2 left out that nobody learns from: without a reward, or ended by no doing of the model's",
        "1 left out that have no group: no other rollout of the same task by the same agent",
    ]


def test_a_rollout_that_was_run_again_stays_in_its_group() -> None:
    first, second = made("a", 1.0, 0.0)
    lost = first.model_copy(update={"stop_reason": StopReason.SANDBOX_LOST, "outcome": None})
    found = list(rows([lost, second, first], warn=lambda text: None))
    assert [(row.group, row.reward) for row in found] == [(0, 0.0), (0, 1.0)]


def test_rows_survive_json() -> None:
    for row in rows(made("a", 1.0, 0.0), warn=quiet):
        assert Row.model_validate_json(row.model_dump_json()) == row
