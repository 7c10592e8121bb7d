"""CISPO against PPO-clip, GRPO and DAPO, each batch cut into 16 updates: batches until the reward is the same.

    python -m benchmarks.cispo [--quick] [--json FILE]

The family of repairs and the tiny policy. As in MiniMax-M1 (arXiv 2506.13585, fig. 2) a batch is sampled, 16 optimizer
steps are taken on parts of it, and the next one is sampled; groups whose rewards are all the same are left out, and
others sampled in their place. All begin from one warm start and have the same learning rate; for each seed all
objectives see the same tasks. Rewards are those of all answers of a batch, before its updates. What is counted are
batches: however busy the machine, the figures are the same up to rounding.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import torch

from agentgym.synthesis.repairs.family import Split, sample
from agentgym.synthesis.repairs.repair import Repair
from benchmarks.graded import MAX_TOKENS, Answer, Grader, answered, grader
from benchmarks.report import Row, arguments, lower, publish
from rl.config import ModelConfig, WarmstartConfig
from rl.learner.optimizer import OptimizerConfig
from rl.learner.sample import TrainingSample
from rl.learner.trainer import Trainer, TrainerConfig
from rl.objective.advantage import AdvantageConfig, Spread, advantages, spread
from rl.objective.cispo import Kind, ObjectiveConfig
from rl.policies import StartingPolicy, start
from rl.warmstart import warm_up
from rl.weights import Publisher

UPDATES = 16
"""Optimizer steps on each batch."""
PEERS: tuple[Kind, ...] = ("ppo", "grpo", "dapo")
SMOOTHED = 3
"""Batches over which a reward is averaged."""
WANTED_RATIO = 2.0


@dataclass(frozen=True)
class Size:
    """How much is run."""

    seeds: int
    batches: int
    group_size: int
    warmup_steps: int
    warmup_samples: int
    """In a step."""
    groups: int = UPDATES
    """Of a batch: one an update."""
    rounds: int = 8
    """Of sampling for one batch, at most: there may be fewer groups to train on, and fewer updates."""
    learning_rate: float = 1e-4
    """Three times as much is too much for 16 updates of one group each: without a trust region CISPO fell back after
    three batches, where DAPO held what it had."""


FULL = Size(seeds=3, batches=16, group_size=8, warmup_steps=200, warmup_samples=32)
QUICK = Size(seeds=1, batches=2, group_size=4, warmup_steps=80, warmup_samples=16, rounds=2)


@dataclass(frozen=True)
class Run:
    """Of one objective from one seed."""

    rewards: list[float] = field(default_factory=list)
    """Of each batch, mean over all answers."""
    untrusted: list[float] = field(default_factory=list)
    """Share of the tokens that the trust region took out, update by update."""
    capped: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Curve:
    """Of one objective, over all seeds."""

    kind: Kind
    rewards: Sequence[float]
    """Mean of each batch, smoothed."""
    untrusted: float
    capped: float

    def batches_until(self, reward: float) -> int | None:
        """None where it is never reached."""
        return next((n for n, each in enumerate(self.rewards, start=1) if each >= reward), None)

    @property
    def told(self) -> str:
        return f"capped {self.capped:.1%}, untrusted {self.untrusted:.1%} of the tokens; " + " ".join(
            f"{reward:.3f}" for reward in self.rewards
        )


def main() -> None:
    options = arguments("cispo")
    torch.set_num_threads(1)
    size = QUICK if options.quick else FULL
    kinds: tuple[Kind, ...] = ("cispo", "dapo") if options.quick else ("cispo", *PEERS)
    with grader() as graded_by:
        curves = compared(size, kinds, graded_by)
    publish("cispo", list(rows(curves, size)), {"torch": version("torch")}, options.json)


def compared(size: Size, kinds: Sequence[Kind], graded_by: Grader) -> dict[Kind, Curve]:
    policy = start(ModelConfig(), seed=0)
    imitating = WarmstartConfig(
        steps=size.warmup_steps, batch_samples=size.warmup_samples, optimizer=OptimizerConfig(learning_rate=2e-3)
    )
    warm_up(policy.decoder, policy.renderer, imitating, _trainer(size, "reinforce"), seed=0, told=lambda *_: True)
    begun = {name: weight.clone() for name, weight in policy.decoder.state_dict().items()}
    runs: dict[Kind, list[Run]] = {kind: [] for kind in kinds}
    for seed in range(size.seeds):
        for kind in kinds:
            policy.decoder.load_state_dict(begun)
            runs[kind].append(trained(policy, size, kind, seed, graded_by))
            print(f"seed {seed} {kind}:", *(f"{reward:.3f}" for reward in runs[kind][-1].rewards), file=sys.stderr)
    return {kind: _curve(kind, of_kind) for kind, of_kind in runs.items()}


def trained(policy: StartingPolicy, size: Size, kind: Kind, seed: int, graded_by: Grader) -> Run:
    """Changes the policy's weights."""
    trainer = Trainer(policy.decoder, _trainer(size, kind))
    model = policy.serve(
        trainer.weights(), ModelConfig(max_tokens=MAX_TOKENS, parallel=64), temperature=1.0, seed=seed, version=0
    )
    publisher, run = Publisher(model.engine), Run()
    try:
        for batch in range(size.batches):
            groups: list[list[Answer]] = []
            rewards: list[float] = []
            for tasks in _tasks(size, seed, batch):
                found = answered(tasks, size.group_size, model.engine, policy.renderer, graded_by, seed=batch)
                rewards += [answer.reward for group in found for answer in group]
                groups += [group for group in found if spread([each.reward for each in group]) is Spread.VARIED]
                if len(groups) >= size.groups:
                    break
            run.rewards.append(statistics.fmean(rewards))
            for group in groups[: size.groups]:
                metrics = trainer.train_step(_samples(group))
                run.untrusted.append(metrics["untrusted_share"])
                run.capped.append(metrics["capped_share"])
            publisher.publish(trainer.weights(), batch + 1)
    finally:
        model.close()
    return run


def _tasks(size: Size, seed: int, batch: int) -> Iterator[list[Repair]]:
    """As many as a batch has groups, round by round; for every objective the same."""
    rng = random.Random(f"tasks {seed} {batch}")
    for _ in range(size.rounds):
        yield [sample(Split.TRAIN, rng) for _ in range(size.groups)]


def _samples(group: Sequence[Answer]) -> list[TrainingSample]:
    [members] = advantages([[[answer.reward] for answer in group]], AdvantageConfig())
    return [
        TrainingSample(
            [*answer.prompt_ids, *answer.ids],
            [False] * len(answer.prompt_ids) + [True] * len(answer.ids),
            (member or [0.0]) * len(answer.ids),
            answer.logprobs,
            rollout=number,
        )
        for number, (answer, member) in enumerate(zip(group, members, strict=True))
    ]


def rows(curves: Mapping[Kind, Curve], size: Size) -> Iterator[Row]:
    ours = curves["cispo"]
    for kind, peer in curves.items():
        if kind == "cispo":
            continue
        reward = peer.rewards[-1]
        name = f"batches of {UPDATES} updates until {kind}'s last reward, {reward:.3f}"
        told = f"smoothed over {SMOOTHED}, mean of {size.seeds} seeds"
        wanted = WANTED_RATIO if kind == "dapo" else None
        theirs, needed = peer.batches_until(reward), ours.batches_until(reward)
        if needed is None:
            yield Row(
                name,
                size.batches,
                "batches",
                kind,
                theirs,
                bound=f"NOT reached; {told}",
                met=None if wanted is None else False,
            )
        else:
            yield lower(name, needed, "batches", peer=kind, peer_value=theirs, bound=told, ratio_at_least=wanted)
        yield Row(f"reward after {size.batches} batches", ours.rewards[-1], "", peer=kind, peer_value=reward)
    for kind, curve in curves.items():
        yield Row(f"rewards batch by batch, {kind}", curve.rewards[-1], "", bound=curve.told)


def _trainer(size: Size, kind: Kind) -> TrainerConfig:
    return TrainerConfig(
        optimizer=OptimizerConfig(learning_rate=size.learning_rate), objective=ObjectiveConfig(kind=kind)
    )


def _curve(kind: Kind, of_seeds: Sequence[Run]) -> Curve:
    means = [statistics.fmean(batch) for batch in zip(*(seed.rewards for seed in of_seeds), strict=True)]
    smoothed = [statistics.fmean(means[max(0, n + 1 - SMOOTHED) : n + 1]) for n in range(len(means))]
    return Curve(
        kind,
        smoothed,
        _mean([share for run in of_seeds for share in run.untrusted]),
        _mean([share for run in of_seeds for share in run.capped]),
    )


def _mean(shares: Sequence[float]) -> float:
    return statistics.fmean(shares) if shares else 0.0


if __name__ == "__main__":
    main()
