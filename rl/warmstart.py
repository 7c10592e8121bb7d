"""Imitation before reinforcement: demonstrations are trained on with the same samples and the same trainer.

Its loss is the cross-entropy of the replies. Where demonstrations come from: the family of repairs, which knows its own
solutions, or the solved trajectories of a file, a teacher's or an oracle's. Rewards of the student are not known.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from agentgym.errors import UsageError
from agentgym.store import TrajectoryStore
from agentgym.synthesis.repairs.family import draft
from policy.chat import Renderer
from policy.model import Decoder
from rl.config import WarmstartConfig
from rl.learner.sample import TrainingSample
from rl.learner.trainer import Trainer, TrainerConfig
from rl.objective.cispo import ObjectiveConfig
from rl.rollout.group import PASSED
from rl.tasks.demonstration import Demonstration, imitated
from rl.tasks.repairs import demonstrate
from rl.tasks.sources import REPAIRS, RepairsSource, open_source

Told = Callable[[int, dict[str, float]], bool]
"""Takes the steps done and the metrics of the last one; true: go on."""


def warm_up(
    decoder: Decoder, renderer: Renderer, config: WarmstartConfig, trainer: TrainerConfig, *, seed: int, told: Told
) -> None:
    """Change the decoder's weights in place. `trainer`: the run's, but for optimizer, objective and temperature.

    Raises UsageError: no demonstrations; ValueError: one is longer than a microbatch; Diverged.
    """
    imitating = trainer.model_copy(
        update={
            "optimizer": config.optimizer,
            "objective": ObjectiveConfig(kind="reinforce"),
            "lora": None,
            "temperature": config.temperature,
        }
    )
    student = Trainer(decoder, imitating)
    demonstrations = endless(config.demonstrations, renderer, seed=seed)
    for step in range(1, config.steps + 1):
        batch = [next(demonstrations) for _ in range(config.batch_samples)]
        metrics = student.train_step([to_imitate(each, config.prompt_weight, n) for n, each in enumerate(batch)])
        if not told(step, metrics):
            return


def to_imitate(shown: Demonstration, prompt_weight: float, number: int) -> TrainingSample:
    """A demonstration, number so and so of its batch, whose replies weigh 1."""
    if not prompt_weight:
        return TrainingSample.demonstration(*shown, rollout=number, group=number)
    weights = [1.0 if of_reply else prompt_weight for of_reply in shown.loss_mask[1:]]
    return TrainingSample(shown.ids, [False] + [True] * len(weights), weights, None, number, number)


def endless(spec: str, renderer: Renderer, *, seed: int) -> Iterator[Demonstration]:
    """Demonstrations in random order, for ever. Raises UsageError where there are none."""
    rng = random.Random(f"demonstrations {seed}")
    if spec.startswith(f"{REPAIRS}:"):
        source = open_source(spec)
        assert isinstance(source, RepairsSource)
        return _of_repairs(source, renderer, rng)
    return _again(taught(Path(spec), renderer), rng)


def taught(path: Path, renderer: Renderer) -> list[Demonstration]:
    """Every reply of the solved trajectories in a file. Raises UsageError where there are none."""
    solved = [trajectory for trajectory in TrajectoryStore(path) if (trajectory.reward or 0.0) >= PASSED]
    shown = [imitated(trajectory.messages, renderer, tools=trajectory.tools) for trajectory in solved]
    shown = [demonstration for demonstration in shown if any(demonstration.loss_mask)]
    if not shown:
        raise UsageError(f"{path}: found no solved trajectory with replies, wanted at least one to imitate")
    return shown


def _of_repairs(source: RepairsSource, renderer: Renderer, rng: random.Random) -> Iterator[Demonstration]:
    while True:
        yield demonstrate(draft(source.split, rng), renderer)


def _again(shown: Sequence[Demonstration], rng: random.Random) -> Iterator[Demonstration]:
    while True:
        yield from rng.sample(shown, len(shown))
