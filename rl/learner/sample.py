"""A training sample: token ids with what the loss needs to know of each. No tensor of a model, and no loss, is here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from agentgym.views.samples import Sample
from policy.model import Choices
from rl.learner.prefix_tree import Ids


@dataclass(frozen=True)
class TrainingSample:
    """One sequence and what training knows of its tokens."""

    ids: Sequence[int]
    loss_mask: Sequence[bool]
    """One an id: True where the token trains."""
    advantages: Sequence[float]
    """One a True of the mask, in order."""
    sampler_logprobs: Sequence[float] | None
    """Likewise, as recorded at sampling; None where nobody sampled: demonstrations."""
    rollout: int = 0
    """Which rollout of the batch it is of; several samples may be of one."""
    group: int = 0
    choices: Choices | None = None
    """Experts and blocks chosen at sampling, for each id but the last; None: they are chosen anew."""

    def __post_init__(self) -> None:
        n = sum(self.loss_mask)
        counts = [
            len(self.ids),
            len(self.advantages),
            n if self.sampler_logprobs is None else len(self.sampler_logprobs),
        ]
        if counts != [len(self.loss_mask), n, n]:
            raise ValueError(
                f"found {len(self.loss_mask)} places in a loss mask, {n} of them True, {counts[0]} ids, {counts[1]} "
                f"advantages and {counts[2]} sampler logprobs: wanted one an id, and one of the others for each True"
            )
        if not n or self.loss_mask[0]:
            found = "no token that trains" if not n else "a first token that trains, which nothing precedes"
            raise ValueError(f"found a sample with {found}: wanted at least one after the first")

    @classmethod
    def of(
        cls, sample: Sample, advantages: float | Sequence[float], *, rollout: int, group: int,
        choices: Choices | None = None,
    ) -> Self:  # fmt: skip
        """From the record of a session; one advantage is that of every token."""
        if not isinstance(advantages, Sequence):
            advantages = [advantages] * sum(sample.loss_mask)
        return cls(sample.ids, sample.loss_mask, advantages, sample.sampler_logprobs, rollout, group, choices)

    @classmethod
    def demonstration(cls, ids: Sequence[int], loss_mask: Sequence[bool], *, rollout: int = 0, group: int = 0) -> Self:
        """What is to be imitated: with the objective `reinforce` its loss is the cross-entropy."""
        return cls(ids, loss_mask, [1.0] * sum(loss_mask), None, rollout, group)

    @cached_property
    def inputs(self) -> Ids:
        """What the forward sees: ids up to the last one that trains, which it does not."""
        last = len(self.loss_mask) - 1 - list(self.loss_mask)[::-1].index(True)
        return np.asarray(self.ids[:last], dtype=np.int64)

    @cached_property
    def targets(self) -> Ids:
        """Places of the tokens that train."""
        return np.flatnonzero(np.asarray(self.loss_mask, dtype=bool))

    @property
    def n_trained(self) -> int:
        return len(self.advantages)
