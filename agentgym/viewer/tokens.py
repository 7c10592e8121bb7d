"""A reply's tokens as cells to colour: text, id, probability, policy version."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, repeat

from agentgym.call import CallTokens

PAGE = 4000
"""Tokens on one page."""

SHADES = (0.9, 0.6, 0.3, 0.1, 0.01)
"""The shade of a token is how many of these probabilities it falls short of."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One sampled token."""

    text: str
    id: int
    logprob: float | None
    version: int | None

    @property
    def shade(self) -> int:
        """0: as good as certain, 5: the sampler was surprised."""
        if self.logprob is None:
            return 0
        return sum(self.probability < bound for bound in SHADES)

    @property
    def probability(self) -> float:
        return math.exp(min(self.logprob or 0.0, 0.0))


def cells(tokens: CallTokens) -> Iterator[Cell]:
    """One a sampled id, whatever else of it is on record."""
    versions = chain.from_iterable(repeat(version, n) for version, n in tokens.versions)
    logprobs, texts = iter(tokens.logprobs), iter(tokens.texts)
    for id in tokens.sampled:
        yield Cell(next(texts, ""), id, next(logprobs, None), next(versions, None))
