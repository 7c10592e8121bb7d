"""From a real episode with real weights to training samples: the trainer finds what the sampler said, id for id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from agentgym.env import EpisodeConfig
from agentgym.protocols import Backend
from agentgym.rollout import Job, rollout
from agentgym.store import TrajectoryStore
from agentgym.task import load_task
from agentgym.views.samples import samples
from policy.checkpoint import load
from policy.entry import PolicyModel
from policy.model import PackedContext
from policy.model.score import score
from scaffolds import PlanScaffold, ToolsScaffold
from tests.tasks import TASKS

N_TURNS = 2


@pytest.fixture(scope="module")
def model() -> Iterator[PolicyModel]:
    model = PolicyModel.from_spec("smollm2", {"max_tokens": 24, "seed": 1, "dtype": "float32"})
    yield model
    model.close()


@pytest.mark.parametrize("scaffold", [ToolsScaffold(), PlanScaffold()], ids=["tools", "plan"])
def test_recorded_samples_verify_against_a_fresh_forward(
    backend: Backend, model: PolicyModel, scaffold: ToolsScaffold | PlanScaffold, tmp_path: Path
) -> None:
    job = Job(load_task(TASKS / "greet"), scaffold, model)
    store = TrajectoryStore(tmp_path / "run.jsonl")
    store.append(rollout(job, backend, config=EpisodeConfig(max_turns=N_TURNS)))
    (trajectory,) = store
    assert trajectory.stop_reason is not None
    assert trajectory.stop_reason.trains, trajectory.error
    assert [call.drift for call in trajectory.calls] == ["root", "clean"]
    (sample,) = samples(trajectory.calls)
    n_sampled = sum(turn.usage.completion_tokens for turn in trajectory.turns)
    assert sum(sample.loss_mask) == len(sample.sampler_logprobs) == n_sampled

    policy = load("smollm2", dtype=torch.float32).model
    with torch.no_grad():
        trainer_T = score(policy, torch.tensor(sample.ids), PackedContext([len(sample.ids)])).logprobs_T
    sampled_T = torch.tensor(sample.loss_mask)
    torch.testing.assert_close(trainer_T[sampled_T], torch.tensor(sample.sampler_logprobs), atol=1e-4, rtol=0)
