"""Imitation: of the family's own solutions and of the solved trajectories in a file."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from agentgym.errors import UsageError
from agentgym.store import TrajectoryStore
from rl.config import ModelConfig, WarmstartConfig
from rl.learner.sample import TrainingSample
from rl.learner.trainer import Trainer, TrainerConfig
from rl.objective.cispo import ObjectiveConfig
from rl.policies import start
from rl.tasks.demonstration import Demonstration
from rl.warmstart import endless, taught, to_imitate, warm_up
from tests.rl.rollout.test_group import trajectory

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


def test_prompts_train_too_where_they_have_a_weight() -> None:
    shown = Demonstration([5, 6, 7, 8], [False, False, True, True])
    sample = to_imitate(shown, 0.25, 3)
    assert (sample.loss_mask, sample.advantages, sample.group) == ([False, True, True, True], [0.25, 1.0, 1.0], 3)
    sample = to_imitate(shown, 0.0, 3)
    assert (sample.loss_mask, sample.advantages, sample.group) == (shown.loss_mask, [1.0, 1.0], 3)


def test_a_low_temperature_leaves_a_broad_policy(policy: Path) -> None:
    entropies = []
    for temperature in (1.0, 0.5):
        student = start(ModelConfig(name=str(policy)), seed=0)
        config = WarmstartConfig.model_validate(
            {"steps": 20, "batch_samples": 8, "temperature": temperature, "optimizer": OPTIMIZER}
        )
        trainer = TrainerConfig.model_validate({"optimizer": {"learning_rate": 1e-9}})
        warm_up(student.decoder, student.renderer, config, trainer, seed=1, told=lambda step, metrics: True)
        lessons = islice(endless("repairs:train", student.renderer, seed=2), 8)
        samples = [TrainingSample.demonstration(*each, rollout=n, group=n) for n, each in enumerate(lessons)]
        objective = ObjectiveConfig(kind="reinforce")
        judge = Trainer(student.decoder, trainer.model_copy(update={"objective": objective}))
        entropies.append(judge.train_step(samples)["entropy_mean"])
    assert entropies[1] > entropies[0] + 0.1
