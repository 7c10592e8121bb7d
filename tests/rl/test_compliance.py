"""Compliance as a channel of its own: scored where it is weighed, compared beside the verifier's reward."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym.env import EpisodeConfig
from agentgym.trajectory import Outcome, Trajectory
from policy.options import PolicyOptions
from rl.objective.advantage import Spread
from rl.objective.reward import RewardConfig
from rl.rollout.group import Group, Member
from rl.rollout.roller import Roller
from scaffolds import ToolsScaffold
from tests.scoring.suites import CHECKLIST
from tests.tasks import vary
from tests.trajectories import make_trajectory


def member(reward: float, compliance: float | None) -> Member:
    return Member(reward=reward, stop_reason="submitted", samples=(), process=(0.0,), n_tokens=1, duration_s=1.0, compliance=compliance)  # fmt: skip


@pytest.mark.parametrize(
    ("members", "spread"),
    [
        ([member(1.0, None), member(1.0, None)], Spread.ALL_SOLVED),
        ([member(1.0, 0.5), member(1.0, 0.5)], Spread.ALL_SOLVED),
        ([member(1.0, 0.5), member(1.0, 1.0)], Spread.VARIED),
        ([member(0.0, 0.5), member(1.0, 0.5)], Spread.VARIED),
        ([member(0.0, None), None], Spread.TOO_FEW),
    ],
)
def test_a_group_varies_in_what_is_weighed(members: list[Member | None], spread: Spread) -> None:
    group = Group(slot=0, task="t", members=tuple(members))
    assert group.spread(RewardConfig(compliance_weight=0.5)) is spread


@pytest.mark.parametrize("scores", [False, True])
def test_rollouts_are_scored_where_it_is_weighed(scores: bool, tmp_path: Path) -> None:
    task = vary(tmp_path / "task", {"checklist.toml": CHECKLIST})
    done = make_trajectory("```bash\ncat a\n```", patch="", outcome=Outcome(reward=1.0))

    def roll(job: Any, **_: Any) -> Trajectory:
        return done

    class Unasked:
        name = "m"
        options = PolicyOptions()

    roller = Roller(roll, ToolsScaffold(), Unasked(), None, EpisodeConfig(), scores=scores)  # type: ignore[arg-type]
    outcome = roller(task, 0, lambda _: None).outcome
    assert outcome is not None
    assert outcome.reward == 1.0
    assert (outcome.compliance is not None) == scores
    if outcome.compliance is not None:
        assert outcome.compliance.csr == pytest.approx(2 / 3)  # a command of cat, which the checklist forbids
