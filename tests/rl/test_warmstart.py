"""Imitation: of the family's own solutions and of the solved trajectories in a file."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from agentgym.errors import UsageError
from agentgym.store import TrajectoryStore
from rl.config import ModelConfig, WarmstartConfig
from rl.policies import start
from rl.trainer import TrainerConfig
from rl.warmstart import endless, taught, warm_up
from tests.rl.test_group import trajectory

OPTIMIZER = {"learning_rate": 5e-3}
MESSAGES = [{"role": "user", "content": "go"}, {"role": "assistant", "content": "4| < => > "}]


@pytest.fixture
def lessons(tmp_path: Path) -> Path:
    """One solved, one not."""
    store = TrajectoryStore(tmp_path / "lessons.jsonl")
    for reward in (1.0, 0.0):
        store.append(trajectory(reward, messages=[*MESSAGES, {"role": "user", "content": "and"}, *MESSAGES[1:]]))
    return store.path


def test_the_loss_falls(policy: Path) -> None:
    student = start(ModelConfig(name=str(policy)), seed=0)
    losses: list[float] = []
    config = WarmstartConfig.model_validate({"steps": 12, "batch_samples": 16, "optimizer": OPTIMIZER})
    trainer = TrainerConfig.model_validate({"optimizer": {"learning_rate": 1.0}})

    def told(step: int, metrics: dict[str, float]) -> bool:
        losses.append(metrics["loss"])
        return step < 10

    warm_up(student.decoder, student.renderer, config, trainer, seed=1, told=told)
    assert len(losses) == 10  # it was told to stop
    assert losses[-1] < losses[0] - 1


def test_solved_trajectories(policy: Path, lessons: Path) -> None:
    renderer = start(ModelConfig(name=str(policy)), seed=0).renderer
    [(ids, loss_mask)] = taught(lessons, renderer)
    imitated = [id for id, trains in zip(ids, loss_mask, strict=True) if trains]
    assert renderer.tokenizer.decode(imitated) == 2 * "4| < => > <|im_end|>"
    assert next(endless(str(lessons), renderer, seed=0)).ids == ids
    TrajectoryStore(lessons.parent / "failed.jsonl").append(trajectory(0.0, messages=MESSAGES))
    with pytest.raises(UsageError, match="found no solved trajectory"):
        taught(lessons.parent / "failed.jsonl", renderer)


def test_the_same_seed_gives_the_same_lessons(policy: Path) -> None:
    renderer = start(ModelConfig(name=str(policy)), seed=0).renderer
    first, same, other = (list(islice(endless("repairs:train", renderer, seed=seed), 3)) for seed in (1, 1, 2))
    assert first == same != other
