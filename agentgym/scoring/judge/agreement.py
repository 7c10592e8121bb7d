"""How far two deciders agree on the same items: judges with one another, a judge with programs, either with people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agentgym.verdict import Result


@dataclass(frozen=True, slots=True)
class Agreement:
    """Over what both decided; an error is no decision."""

    n: int
    n_agreed: int
    kappa: float | None
    """Cohen's: agreement beyond what the two would reach by chance; None where chance alone explains everything."""
    n_undecided: int
    """Where at least one of them came to no decision."""
    disagreements: Mapping[tuple[Result, Result], int]
    """How often one said this and the other that."""

    @property
    def share(self) -> float | None:
        return self.n_agreed / self.n if self.n else None


def agreement(pairs: Iterable[tuple[Result, Result]]) -> Agreement:
    """Of the two results of each item."""
    counts = Counter(pairs)
    decided = Counter({pair: n for pair, n in counts.items() if "error" not in pair})
    n = decided.total()
    n_agreed = sum(count for (one, other), count in decided.items() if one == other)
    first, second = Counter[Result](), Counter[Result]()
    for (one, other), count in decided.items():
        first[one] += count
        second[other] += count
    by_chance = sum(first[result] * second[result] for result in first) / n**2 if n else 1.0
    return Agreement(
        n=n,
        n_agreed=n_agreed,
        kappa=(n_agreed / n - by_chance) / (1 - by_chance) if by_chance < 1 else None,
        n_undecided=counts.total() - n,
        disagreements={pair: count for pair, count in decided.items() if pair[0] != pair[1]},
    )
