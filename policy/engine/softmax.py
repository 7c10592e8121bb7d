"""Softmax attention of a step: parts (some rows to one run of slots), joined where a row has several.

Two requests that read the same run (a shared prefix) are rows of one part, so it is read once for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from policy.engine.attend import attend, attend_causal, attend_rows, join
from policy.engine.scheduler import Chunk

# T tokens of the step, M rows of all parts, S parts of a row, H query heads, K kv heads, G = H / K, D head dim

_MAX_RUNS = 4
"""A sequence in more pieces than this is copied together first: many small calls would cost more than the copy."""


class _Part(NamedTuple):
    rows: slice | Tensor
    """Of T."""
    first: int
    n: int
    """The run of slots that all the rows see."""


class SoftmaxPlan:
    def __init__(self, chunks: Sequence[Chunk], device: torch.device) -> None:
        ends = list(accumulate(chunk.n for chunk in chunks))
        runs: dict[tuple[int, int], list[range]] = {}
        scattered: list[tuple[range, list[int]]] = []
        self._causal: list[slice] = []
        """Rows of chunks, which see themselves beside what came before."""
        for chunk, end in zip(chunks, ends, strict=True):
            rows = range(end - chunk.n, end)
            if chunk.n > 1:
                self._causal.append(slice(rows.start, rows.stop))
            past = chunk.request.table.slots(0, chunk.start + (chunk.n == 1))
            if len(past) > _MAX_RUNS:
                scattered.append((rows, [slot for first, n in past for slot in range(first, first + n)]))
                continue
            for run in past:
                runs.setdefault(run, []).append(rows)

        def tensor(values: Sequence[int]) -> Tensor:
            return torch.tensor(values, device=device)

        self._single: list[tuple[int, int, int]] = []
        """Parts of one row: row, first slot, number of slots. Apart from the others because they are many."""
        self._parts: list[_Part] = []
        members = {run: [row for rows in ranges for row in rows] for run, ranges in runs.items()}
        for (first, n), rows_of in members.items():
            if len(rows_of) == 1:
                self._single.append((rows_of[0], first, n))
                continue
            together = len(rows_of) == rows_of[-1] - rows_of[0] + 1
            at = slice(rows_of[0], rows_of[-1] + 1) if together else tensor(rows_of)
            self._parts.append(_Part(at, first, n))
        self._scattered = [(slice(rows.start, rows.stop), tensor(slots)) for rows, slots in scattered]
        order = [row for row, *_ in self._single]
        order += [row for rows_of in members.values() if len(rows_of) > 1 for row in rows_of]
        order += [row for rows, _ in scattered for row in rows]
        order += [row for causal in self._causal for row in range(causal.start, causal.stop)]
        self._plan_join(order, ends[-1], tensor)

    def _plan_join(self, order: list[int], T: int, tensor: Callable[[Sequence[int]], Tensor]) -> None:
        """order: the row of T of each row of M."""
        self._joined: Tensor | None = None
        self._in_order = order == list(range(T))
        if self._in_order:
            return
        places: list[list[int]] = [[] for _ in range(T)]
        for place, row in enumerate(order):
            places[row].append(place)
        self._first_T = tensor([of[0] for of in places])
        joined = [row for row, of in enumerate(places) if len(of) > 1]
        if joined:
            self._joined = tensor(joined)
            S = max(len(places[row]) for row in joined)
            # place M is no part at all
            padded = [(places[row] + [len(order)] * S)[:S] for row in joined]
            self._lse_RS = torch.tensor(padded, device=self._joined.device)
            self._o_RS = self._lse_RS.where(self._lse_RS < len(order), 0)

    def __call__(
        self, q_THD: Tensor, k_TKD: Tensor, v_TKD: Tensor, k_cache: Tensor, v_cache: Tensor, scale: float
    ) -> Tensor:
        """Caches [slots, K, D] hold the step's own keys and values already -> [T, H, D]."""
        T, H, D = q_THD.shape
        K = k_TKD.shape[1]
        # head first, which is how attention wants it
        k_1KLD, v_1KLD = k_cache.transpose(0, 1)[None], v_cache.transpose(0, 1)[None]
        q_TKGD = q_THD.view(T, K, H // K, D)
        parts = attend_rows(q_TKGD, k_1KLD, v_1KLD, self._single, scale)
        parts += [
            attend(q_TKGD[rows], k_1KLD.narrow(2, first, n), v_1KLD.narrow(2, first, n), scale)
            for rows, first, n in self._parts
        ]
        for rows, slots in self._scattered:
            parts.append(attend(q_TKGD[rows], k_1KLD.index_select(2, slots), v_1KLD.index_select(2, slots), scale))
        parts += [attend_causal(q_TKGD[rows], k_TKD[rows], v_TKD[rows], scale) for rows in self._causal]
        o_MKGD = parts[0][0] if len(parts) == 1 else torch.cat([o for o, _ in parts])
        if self._in_order:
            return o_MKGD.reshape(T, H, D)
        o_TKGD = o_MKGD.index_select(0, self._first_T)
        if self._joined is not None:
            lses = [lse for _, lse in parts]
            lses.append(lses[0].new_full((1, *lses[0].shape[1:]), -torch.inf))
            o_TKGD[self._joined] = join(o_MKGD[self._o_RS], torch.cat(lses)[self._lse_RS])
        return o_TKGD.view(T, H, D)
