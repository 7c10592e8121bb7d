"""Sequences of token ids as a prefix tree: what several share from their beginning on is stored once.

The tree is a radix trie, its nodes in depth-first order, each a run of tokens at whose end sequences part. Laid out on
one flat axis it is a `Forest`, which the decoder computes in one forward. Nothing is known here of tensors or models,
nor of what a token is worth: a node is split where ids differ and nowhere else.

    a b c d        a b c ─┬─ d          flat axis: a b c d e f        places of the second: 0 1 2 4 5
    a b c e f             └─ e f
    a b                                                               places of the third:  0 1
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kernels.forest import Forest

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Node:
    """A run of tokens of the trie."""

    parent: int
    """An earlier node, or -1."""
    begin: int
    """Depth of its first token: how many come before it on its path."""
    end: int
    """Depth behind its last token."""
    sequence: int
    """One that runs through it: its ids from begin to end are the node's."""
    ending: tuple[int, ...]
    """The sequences whose last token is one of the node's."""


def radix_trie(sequences: Sequence[Ids]) -> list[Node]:
    """Depth first, so that whatever lies below a node follows it without a gap. ValueError: a sequence is empty."""
    if any(not len(ids) for ids in sequences):
        raise ValueError(f"sequence {[len(ids) for ids in sequences].index(0)} is empty: need at least 1 token")
    # big-endian bytes sort as the ids do, and fast
    order = sorted(range(len(sequences)), key=lambda s: sequences[s].astype(">u8").tobytes())
    shared = [0, *(_shared(sequences[a], sequences[b]) for a, b in pairwise(order))]
    """Of each in order: the tokens that it begins with as the one before it does."""
    nodes: list[Node] = []
    pending = [(-1, 0, first, last) for first, last in _parts(shared, 0, len(order), 0)][::-1]
    while pending:
        parent, begin, first, last = pending.pop()
        ending = []
        end = begin
        # sorted, the sequences that end before any fork come first
        while first < last:
            end = len(sequences[order[first]])
            if end > (fork := min(shared[first + 1 : last], default=end)):
                end = fork
                break
            ending.append(order[first])
            first += 1
        nodes.append(Node(parent, begin, end, order[min(first, last - 1)], tuple(ending)))
        pending += [(len(nodes) - 1, end, *part) for part in _parts(shared, first, last, end)][::-1]
    return nodes


def _longer_first(nodes: Sequence[Node]) -> list[Node]:
    """The same trie, still depth first, of children the one with most tokens below it first: it makes long chains."""
    below = [node.end - node.begin for node in nodes]
    children: list[list[int]] = [[] for _ in nodes]
    roots: list[int] = []
    for number in reversed(range(len(nodes))):
        parent = nodes[number].parent
        if parent >= 0:
            below[parent] += below[number]
        (children[parent] if parent >= 0 else roots).append(number)
    ordered: list[Node] = []
    pending = [(number, -1) for number in roots]
    while pending:
        number, parent = pending.pop()
        ordered.append(replace(nodes[number], parent=parent))
        lightest_first = sorted(children[number], key=lambda child: below[child])
        pending += [(child, len(ordered) - 1) for child in lightest_first]
    return ordered


def _parts(shared: Sequence[int], first: int, last: int, depth: int) -> list[tuple[int, int]]:
    """The sequences first to last, all alike up to depth, by what comes next."""
    starts = [first, *(s for s in range(first + 1, last) if shared[s] <= depth), last]
    return list(pairwise(starts)) if first < last else []


def _shared(a: Ids, b: Ids) -> int:
    n = min(len(a), len(b))
    differ = a[:n] != b[:n]
    return int(differ.argmax()) if differ.any() else n


@dataclass(frozen=True)
class PrefixTree:
    """Sequences laid out on one flat axis of T tokens."""

    forest: Forest
    ids_T: Ids
    paths: tuple[tuple[int, int], ...]
    """For each sequence the segment that it ends in, and how many tokens it has in all."""

    @classmethod
    def of(cls, sequences: Sequence[Ids]) -> PrefixTree:
        """What is shared once. ValueError: no sequence, or an empty one."""
        nodes = _longer_first(radix_trie(sequences))
        forest = Forest(tuple(node.end - node.begin for node in nodes), tuple(node.parent for node in nodes))
        ids_T = np.concatenate([sequences[node.sequence][node.begin : node.end] for node in nodes])
        segment_of = {sequence: number for number, node in enumerate(nodes) for sequence in node.ending}
        return cls(forest, ids_T, tuple((segment_of[s], len(ids)) for s, ids in enumerate(sequences)))

    @classmethod
    def flat(cls, sequences: Sequence[Ids]) -> PrefixTree:
        """Every sequence by itself: what the tree is measured against. ValueError: as `of`."""
        forest = Forest.of_documents([len(ids) for ids in sequences])
        return cls(forest, np.concatenate(sequences), tuple((s, len(ids)) for s, ids in enumerate(sequences)))

    @property
    def n_tokens(self) -> int:
        """T, the tokens that are computed."""
        return len(self.ids_T)

    @property
    def sharing(self) -> float:
        """Tokens of all sequences / tokens that are computed."""
        return sum(length for _, length in self.paths) / self.n_tokens

    @cached_property
    def places(self) -> tuple[Ids, ...]:
        """For each sequence, where its tokens lie on the flat axis, in its order."""
        forest, places = self.forest, []
        for segment, length in self.paths:
            runs = [np.arange(forest.starts[s], forest.starts[s + 1]) for s in forest.path(segment)]
            places.append(np.concatenate(runs)[:length])
        return tuple(places)
