"""Breaches that can be committed in one episode: none hides another, none makes another impossible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agentgym.synthesis.octo.conduct import Conduct
from agentgym.synthesis.octo.draft import Breach

_TOGETHER = {"asides": 4, "acts": 5, "lines": 8, "stray": 20, "test_stray": 4}
"""How many additions of a kind one conduct has room for, before it breaks rules on how much there may be."""


def alone(breaches: Sequence[Breach]) -> list[list[Breach]]:
    """Each by itself."""
    return [[breach] for breach in breaches]


def together(breaches: Sequence[Breach]) -> list[list[Breach]]:
    """In few groups."""
    groups: list[list[Breach]] = []
    for breach in breaches:
        home = next((group for group in groups if _fits(breach, group)), None)
        if home is None:
            groups.append([breach])
        else:
            home.append(breach)
    return groups


def _fits(breach: Breach, group: Sequence[Breach]) -> bool:
    sizes, others = _sizes(breach), Counter[str]()
    for other in group:
        others.update(_sizes(other))
    return all(not others[name] or others[name] + size <= _TOGETHER.get(name, 0) for name, size in sizes.items())


def _sizes(breach: Breach) -> dict[str, int]:
    """How much of each field of a conduct it takes."""
    plain, sizes = Conduct(), {}
    for name in (*breach.changes, *(breach.rule.comply if breach.rule else ())):
        several = isinstance(getattr(plain, name), tuple)
        sizes[name] = len(breach.changes.get(name, "x")) if several else 1
    if "instead" in sizes:
        sizes["asides"] = _TOGETHER["asides"]  # what is said in another language is said alone
    return sizes
