"""How one flat token axis falls into sequences: a forest of segments. Separate documents are the forest of roots only.

A segment is a run of consecutive tokens. A root segment (parent -1) begins a sequence; any other continues where its
parent segment ends, so that segments with one parent share all that came before. A token sees the earlier tokens of its
own segment and all tokens of the segments on the path up to the root. Its position counts along that path. Parents come
before their children: this is a prefix tree laid out flat, each shared prefix stored once.

    lengths (3, 2, 2), parents (-1, 0, 0):    a b c ─┬─ d e        flat: a b c d e f g
                                                     └─ f g   positions: 0 1 2 3 4 3 4

Where a segment follows its parent on the flat axis, both are one chain, a row of tokens as in any sequence: here a b c
d e, and f g, above which lies the beginning of the first. A tree that puts the longer branch first has few chains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple


class Chain(NamedTuple):
    tokens: range
    """Where it lies on the flat axis."""
    offset: int
    """The position of its first token: how many tokens its path has above it."""
    parent: int
    """The chain that it leaves there, an earlier one; -1: none."""


@dataclass(frozen=True)
class Forest:
    lengths: tuple[int, ...]
    """Tokens of each segment, at least 1."""
    parents: tuple[int, ...]
    """For each segment the segment it continues, an earlier one, or -1."""

    def __post_init__(self) -> None:
        if not self.lengths or len(self.lengths) != len(self.parents):
            raise ValueError(f"{len(self.lengths)} lengths and {len(self.parents)} parents: need one of each a segment")
        for segment, (length, parent) in enumerate(zip(self.lengths, self.parents, strict=True)):
            if length < 1:
                raise ValueError(f"segment {segment} has {length} tokens: need at least 1")
            if not -1 <= parent < segment:
                raise ValueError(f"segment {segment} has parent {parent}: need -1 or an earlier segment")

    @classmethod
    def of_documents(cls, lengths: Sequence[int]) -> Forest:
        """Separate sequences, one after the other."""
        return cls(tuple(lengths), (-1,) * len(lengths))

    @property
    def n_tokens(self) -> int:
        return sum(self.lengths)

    @property
    def only_roots(self) -> bool:
        return all(parent < 0 for parent in self.parents)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where each segment begins on the flat axis, and where the last one ends."""
        return tuple(accumulate(self.lengths, initial=0))

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """Segments above each segment."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(0 if parent < 0 else depths[parent] + 1)
        return tuple(depths)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """The position of each segment's first token."""
        offsets: list[int] = []
        for parent in self.parents:
            offsets.append(0 if parent < 0 else offsets[parent] + self.lengths[parent])
        return tuple(offsets)

    @cached_property
    def chains(self) -> tuple[Chain, ...]:
        """In the order of the flat axis, which they cover."""
        chains: list[Chain] = []
        chain_of: list[int] = []
        for segment, parent in enumerate(self.parents):
            tokens = self.tokens(segment)
            if chains and parent == segment - 1:
                chains[-1] = chains[-1]._replace(tokens=range(chains[-1].tokens.start, tokens.stop))
            else:
                chains.append(Chain(tokens, self.offsets[segment], chain_of[parent] if parent >= 0 else -1))
            chain_of.append(len(chains) - 1)
        return tuple(chains)

    def above(self, chain: int) -> list[range]:
        """Where the path above a chain lies on the flat axis, from the root down."""
        ranges = []
        _, offset, parent = self.chains[chain]
        while parent >= 0:
            tokens, start, above = self.chains[parent]
            ranges.append(tokens[: offset - start])
            offset, parent = start, above
        return ranges[::-1]

    def tokens(self, segment: int) -> range:
        """Where the segment lies on the flat axis."""
        return range(self.starts[segment], self.starts[segment + 1])

    def path(self, segment: int) -> list[int]:
        """Segments from the root to this one."""
        path = [segment]
        while (parent := self.parents[path[-1]]) >= 0:
            path.append(parent)
        return path[::-1]
