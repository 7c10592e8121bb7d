"""Groups of rollouts whose token ids are made up: what an export is made of."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from agentgym.call import Call, CallTokens
from agentgym.trajectory import Outcome, Trajectory
from tests.trajectories import NOON, make_trajectory
from tests.views.agents import saying

VOCAB = 64

Score = Callable[[Sequence[int]], list[float]]
"""Logprobs of a sequence's ids but the first."""


def rollout(
    die: random.Random, task: str, attempt: int, reward: float | None, score: Score, n_turns: int
) -> Trajectory:
    """`n_turns` replies of some ids, an observation before each. The recorded logprobs are near those of `score`."""
    calls: list[Call] = []
    path: list[int] = []
    for turn in range(n_turns):
        n_shared = len(path)
        prompt = [random.Random(f"{task}{turn}").randrange(VOCAB) for _ in range(5)]
        sampled = [die.randrange(VOCAB) for _ in range(die.randint(2, 7))]
        path = [*path, *prompt, *sampled]
        logprobs = [min(-1e-3, x + die.gauss(0, 0.4)) for x in score(path)[-len(sampled) :]]
        tokens = CallTokens(
            n_shared=n_shared, prompt=prompt, sampled=sampled, logprobs=logprobs, versions=[(turn, len(sampled))]
        )
        calls.append(Call(parent=turn - 1 if turn else None, reply=saying("x"), tokens=tokens, started_at=NOON))
    name = f"{task}-{attempt}-{die.getrandbits(32):x}"
    return make_trajectory(
        id=name, task=task, checksum=task, attempt=attempt, calls=calls, outcome=Outcome(reward=reward)
    )


def unscored(ids: Sequence[int]) -> list[float]:
    return [-1.0] * (len(ids) - 1)
