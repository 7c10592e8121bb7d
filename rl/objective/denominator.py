"""What a token's share of the loss is divided by: one number for each training sample, counted over the whole batch.

It is counted before the batch is split, so microbatches, packing and order cannot change the loss. It knows neither
probabilities nor rewards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Denominator = Literal["group_tokens", "global_tokens", "rollout_mean", "rollout_token_mix"]
"""group_tokens: the tokens of a group, then the mean over groups (MiniMax-M1, arXiv 2506.13585, eq. 4; DAPO; what
ScaleRL and AReaL call the prompt mean). global_tokens: the tokens of the batch. rollout_mean: the tokens of a rollout,
then the mean over a group's rollouts, then over groups (GRPO, arXiv 2402.03300, eq. 3). rollout_token_mix: some of
rollout_mean and the rest of group_tokens (M1 section 5, for long windows: where failures outgrow successes in length, a
token of a long failure weighs less)."""


@dataclass(frozen=True, slots=True)
class SampleShape:
    """What the denominators need to know of one training sample."""

    n_tokens: int
    """Tokens that train: those under the loss mask."""
    rollout: int
    """Which rollout it is a part of; an agent that rewrites its history leaves several samples of one rollout."""
    group: int
    """Which group the rollout is in."""


def sample_scales(samples: Sequence[SampleShape], denominator: Denominator, *, mix: float = 0.5) -> list[float]:
    """For each training sample of a batch, the factor on each of its tokens' losses: 1 / denominator.

    A rollout counts as one however many samples it left. Groups in which nothing trains are not counted.
    `mix` is the part of rollout_mean in rollout_token_mix.
    """
    of_rollout: Counter[tuple[int, int]] = Counter()
    of_group: Counter[int] = Counter()
    for sample in samples:
        of_rollout[sample.group, sample.rollout] += sample.n_tokens
        of_group[sample.group] += sample.n_tokens
    n_tokens, n_groups = of_group.total(), sum(n > 0 for n in of_group.values())
    n_rollouts = Counter(group for (group, _), n in of_rollout.items() if n)

    def scale(sample: SampleShape) -> float:
        if not sample.n_tokens:
            return 0.0
        by_group = 1 / (of_group[sample.group] * n_groups)
        by_rollout = 1 / (of_rollout[sample.group, sample.rollout] * n_rollouts[sample.group] * n_groups)
        match denominator:
            case "group_tokens":
                return by_group
            case "global_tokens":
                return 1 / n_tokens
            case "rollout_mean":
                return by_rollout
            case "rollout_token_mix":
                return mix * by_rollout + (1 - mix) * by_group

    return [scale(sample) for sample in samples]
