"""Which sequences share a forward: first-fit decreasing over the subtrees of their prefix tree, by unique tokens.

A node's subtrees are packed among themselves before they are packed with others, so that sequences with much in common
stay together, and what no bin can hold at once is cut where it costs least: below, where paths have already parted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rl.learner.prefix_tree import Ids, radix_trie


def pack(sequences: Sequence[Ids], max_tokens: int, *, share: bool = True) -> list[list[int]]:
    """The sequences' numbers in bins, each of at most max_tokens unique tokens; every number once.

    share: False counts tokens as if nothing were shared. ValueError: a sequence is empty, or alone too long.
    """
    for number, ids in enumerate(sequences):
        if len(ids) > max_tokens:
            raise ValueError(
                f"sequence {number} has {len(ids)} tokens and a microbatch takes {max_tokens}: raise the budget, or "
                "shorten the window"
            )
    if not share:
        units = [_Unit(len(ids), [number]) for number, ids in enumerate(sequences)]
        return [sorted(bin.sequences) for bin in _first_fit_decreasing(units, max_tokens)]
    nodes = radix_trie(sequences)
    below: list[list[_Unit]] = [[] for _ in nodes]
    whole: list[_Unit] = []
    for number in reversed(range(len(nodes))):
        node = nodes[number]
        bins = _first_fit_decreasing(below[number], max_tokens - node.end)
        if node.ending:  # they cost nothing beside what is there
            bins = bins or [_Unit(0, [])]
            bins[0].sequences.extend(node.ending)
        length = node.end - node.begin
        above = below[node.parent] if node.parent >= 0 else whole
        above += [_Unit(bin.n_tokens + length, bin.sequences) for bin in bins]
    return [sorted(bin.sequences) for bin in _first_fit_decreasing(whole, max_tokens)]


@dataclass(slots=True)
class _Unit:
    """Sequences that stay together from here on up."""

    n_tokens: int
    """Unique ones below the node that is looked at."""
    sequences: list[int]


def _first_fit_decreasing(units: Sequence[_Unit], room: int) -> list[_Unit]:
    bins: list[_Unit] = []
    for unit in sorted(units, key=lambda unit: (-unit.n_tokens, min(unit.sequences))):
        for bin in bins:
            if bin.n_tokens + unit.n_tokens <= room:
                bin.n_tokens += unit.n_tokens
                bin.sequences += unit.sequences
                break
        else:
            bins.append(_Unit(unit.n_tokens, list(unit.sequences)))
    return bins
