"""Where the chunks of a forest lie, which are computed side by side, and which each follows. No numbers are known here.

N chunks of the forest, n of them side by side, C rows for each of these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.forest import Forest
from kernels.lightning.chunked import CHUNK

SIDE_BY_SIDE = 128
"""Chunks, at most."""
_SHORT = CHUNK // 4
"""Tokens; chunks up to that are not filled up to the length of longer ones."""


@dataclass(frozen=True)
class Part:
    """Chunks that are computed side by side, in n * C rows."""

    numbers: Tensor
    """int64 [n]: which they are."""
    rows: Tensor
    """int64 [n * C]: the token of each row of each chunk; any, where it is filled up."""
    filled: Tensor
    """int64: the rows that no token is in."""
    taken: Tensor
    """int64: the others."""
    tokens: Tensor
    """int64: what is in those."""
    lengths: Tensor
    """int64 [n]: tokens."""
    chunk: int
    """C, the longest length."""

    @classmethod
    def of(cls, spans: Sequence[range], numbers: Sequence[int], device: torch.device) -> Part:
        """The chunks of these numbers among those that have these tokens."""

        def tensor(values: Sequence[int]) -> Tensor:
            return torch.tensor(values, dtype=torch.int64, device=device)

        own = [spans[number] for number in numbers]
        lengths = [len(span) for span in own]
        chunk = max(lengths)
        rows = [span[min(i, len(span) - 1)] for span in own for i in range(chunk)]
        taken = [at * chunk + i for at, length in enumerate(lengths) for i in range(length)]
        filled = [at * chunk + i for at, length in enumerate(lengths) for i in range(length, chunk)]
        tokens = [rows[row] for row in taken]
        return cls(tensor(numbers), tensor(rows), tensor(filled), tensor(taken), tensor(tokens), tensor(lengths), chunk)


@dataclass(frozen=True)
class Chunks:
    """All chunks of a forest, numbered so that each comes after the one that it follows."""

    before: list[int]
    """Of each the chunk in whose last state it begins; N for zeros."""
    before_N: Tensor
    """int64: the same."""
    lengths_N: Tensor
    """int64: tokens."""
    parts: list[Part]

    @classmethod
    def of(cls, forest: Forest, device: torch.device) -> Chunks:
        """A segment that alone follows another, side by side, is cut with it."""
        n_children = Counter(forest.parents)
        spans: list[range] = []
        before: list[int] = []
        last: list[int] = []
        """The last chunk of each segment so far."""
        for segment, parent in enumerate(forest.parents):
            first, stop = forest.starts[segment], forest.starts[segment + 1]
            preceding = last[parent] if parent >= 0 else -1
            if parent >= 0 and parent == segment - 1 and n_children[parent] == 1:
                begun = spans[preceding].start
                first = min(stop, begun + CHUNK)
                spans[preceding] = range(begun, first)
            for at in range(first, stop, CHUNK):
                spans.append(range(at, min(at + CHUNK, stop)))
                before.append(preceding)
                preceding = len(spans) - 1
            last.append(preceding)
        before = [len(spans) if number < 0 else number for number in before]
        return cls(
            before,
            torch.tensor(before, device=device),
            torch.tensor([len(span) for span in spans], device=device),
            [Part.of(spans, numbers, device) for numbers in _side_by_side(spans)],
        )


def _side_by_side(spans: Sequence[range]) -> Iterator[list[int]]:
    """The numbers of all chunks, by length."""
    order = sorted(range(len(spans)), key=lambda number: len(spans[number]))
    n_short = sum(len(span) <= _SHORT for span in spans)
    for alike in (order[:n_short], order[n_short:]):
        for at in range(0, len(alike), SIDE_BY_SIDE):
            yield alike[at : at + SIDE_BY_SIDE]
