"""Softmax attention of a step: parts (some rows to one run of slots), joined where a row has several.

Two requests that read the same run (a shared prefix) are rows of one part, so it is read once for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from policy.engine.attend import attend, attend_causal, join
from policy.engine.scheduler import Chunk

# T tokens of the step, M rows of all parts, S parts of a row, H query heads, K kv heads, G = H / K, D head dim

_MAX_RUNS = 4
"""A sequence in more pieces than this is copied together first: many small calls would cost more than the copy."""


class _Part(NamedTuple):
    rows: slice | Tensor
    slots: slice | Tensor | None
    """What all the rows see; None: themselves, causally."""


class SoftmaxPlan:
    def __init__(self, chunks: Sequence[Chunk], device: torch.device) -> None:
        ends = list(accumulate(chunk.n for chunk in chunks))
        shared: dict[tuple[int, int], list[range]] = {}
        alone: list[tuple[range, list[int] | None]] = []
        for chunk, end in zip(chunks, ends, strict=True):
            rows = range(end - chunk.n, end)
            if chunk.n > 1:
                alone.append((rows, None))
            past = chunk.request.table.slots(0, chunk.start + (chunk.n == 1))
            if len(past) > _MAX_RUNS:
                alone.append((rows, [slot for first, n in past for slot in range(first, first + n)]))
                continue
            for run in past:
                shared.setdefault(run, []).append(rows)
        self.parts: list[_Part] = []
        order: list[int] = []
        """The row of T of each row of M."""

        def tensor(values: Sequence[int]) -> Tensor:
            return torch.tensor(values, device=device)

        for (first, n), ranges in shared.items():
            members = [row for rows in ranges for row in rows]
            together = len(members) == members[-1] - members[0] + 1
            at = slice(members[0], members[-1] + 1) if together else tensor(members)
            self.parts.append(_Part(at, slice(first, first + n)))
            order += members
        for rows, slots in alone:
            self.parts.append(_Part(slice(rows.start, rows.stop), None if slots is None else tensor(slots)))
            order += rows
        self._plan_join(order, ends[-1], tensor)

    def _plan_join(self, order: list[int], T: int, tensor: Callable[[Sequence[int]], Tensor]) -> None:
        self._in_order = order == list(range(T))
        if self._in_order:
            return
        places: list[list[int]] = [[] for _ in range(T)]
        for place, row in enumerate(order):
            places[row].append(place)
        self._first_T = tensor([of[0] for of in places])
        joined = [row for row, of in enumerate(places) if len(of) > 1]
        self._joined = tensor(joined) if joined else None
        if joined:
            S = max(len(places[row]) for row in joined)
            # place M is no part at all
            padded = [(places[row] + [len(order)] * S)[:S] for row in joined]
            self._lse_RS = torch.tensor(padded, device=self._first_T.device)
            self._o_RS = self._lse_RS.where(self._lse_RS < len(order), 0)

    def __call__(
        self, q_THD: Tensor, k_TKD: Tensor, v_TKD: Tensor, k_cache: Tensor, v_cache: Tensor, scale: float
    ) -> Tensor:
        """k_cache and v_cache [P * page_tokens, K, D] hold the step's own keys and values already -> [T, H, D]."""
        outputs, lses = [], []
        for rows, slots in self.parts:
            if slots is None:
                o, lse = attend_causal(q_THD[rows], k_TKD[rows], v_TKD[rows], scale)
            else:
                o, lse = attend(q_THD[rows], k_cache[slots], v_cache[slots], scale)
            outputs.append(o)
            lses.append(lse)
        o_MKGD = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
        if self._in_order:
            return o_MKGD.reshape(q_THD.shape)
        o_TKGD = o_MKGD[self._first_T]
        if self._joined is not None:
            lses.append(lses[0].new_full((1, *lses[0].shape[1:]), -torch.inf))
            o_TKGD[self._joined] = join(o_MKGD[self._o_RS], torch.cat(lses)[self._lse_RS])
        return o_TKGD.view(q_THD.shape)
