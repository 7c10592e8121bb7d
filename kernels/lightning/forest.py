"""Lightning attention over a prefix tree: each segment begins with the state in which its parent ended.

T tokens, H heads, D head dim, N segments of a level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.forest import Forest
from kernels.lightning.chunks import Chunks
from kernels.lightning.forest_chunked import ForestLightning
from kernels.lightning.op import check_qkv, lightning_attention
from kernels.paths import KernelInputError, Path, resolve


@dataclass(frozen=True)
class ForestPlan:
    """Where the tokens of a forest lie when they are computed. Made once, for all layers that see the same tokens."""

    forest: Forest
    device: torch.device

    @cached_property
    def chunks(self) -> Chunks:
        return Chunks.of(self.forest, self.device)

    @cached_property
    def levels(self) -> list[Level]:
        """By rising depth."""
        forest = self.forest
        by_depth: list[list[int]] = [[] for _ in range(max(forest.depths) + 1)]
        place: list[int] = []
        for segment, depth in enumerate(forest.depths):
            place.append(len(by_depth[depth]))
            by_depth[depth].append(segment)
        return [
            Level(
                segments,
                sum(forest.lengths[s] for s in segments),
                self._tensor([place[forest.parents[s]] for s in segments]),
                F.pad(self._tensor([forest.lengths[s] for s in segments]).cumsum(0), (1, 0)).int(),
            )
            for segments in by_depth
        ]

    @cached_property
    def by_level_T(self) -> Tensor:
        """int64: from the order of tokens to that of levels."""
        ordered = (s for level in self.levels for s in level.segments)
        return self._tensor([token for s in ordered for token in self.forest.tokens(s)])

    @cached_property
    def from_levels_T(self) -> Tensor:
        return self.by_level_T.argsort()

    def _tensor(self, values: Sequence[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self.device)


@dataclass(frozen=True)
class Level:
    """The segments of one depth."""

    segments: list[int]
    n_tokens: int
    parents: Tensor
    """int64 [N]: each one's parent, by its place in the level above."""
    cu_seqlens: Tensor
    """int32 [N+1]."""


def lightning_forest(
    q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, plan: ForestPlan, *, path: Path | None = None
) -> Tensor:
    """What `lightning_attention` gives for each token of a forest that sees what stands on its path from the root.

    Args:
        q, k, v, slopes: as there, without the batch: [T,H,D] and [H].
        path: chunked takes all segments at once, chunk by chunk; the others go level by level.

    Returns:
        o [T,H,D], differentiable in q, k and v.

    Raises:
        KernelInputError: as there, or the forest has another number of tokens.
    """
    check_qkv(q, k, v, slopes, "[T,H,D]")
    if len(q) != plan.forest.n_tokens:
        raise KernelInputError(f"the forest has {plan.forest.n_tokens} tokens, q has {len(q)}: they must be the same")
    path = resolve(path, q, k, v, slopes)
    if path == "chunked":
        return ForestLightning.apply(q, k, v, slopes, plan.chunks)  # type: ignore[no-any-return, no-untyped-call]
    if len(plan.levels) == 1:  # all are roots, and lie in the order of their level
        cu_seqlens = plan.levels[0].cu_seqlens
        return lightning_attention(q[None], k[None], v[None], slopes, cu_seqlens=cu_seqlens, path=path)[0][0]
    parts: list[Tensor] = []
    states: Tensor | None = None
    # one gather and one split: a gather for each level would make gradients of all tokens each time
    lengths = [level.n_tokens for level in plan.levels]
    ordered = [torch.split(x.index_select(0, plan.by_level_T), lengths) for x in (q, k, v)]
    for level, q_l, k_l, v_l in zip(plan.levels, *ordered, strict=True):
        start = None if states is None else states.index_select(0, level.parents)
        o, states = lightning_attention(
            q_l[None], k_l[None], v_l[None], slopes, initial_state=start, cu_seqlens=level.cu_seqlens, path=path
        )
        parts.append(o[0])
    return torch.cat(parts).index_select(0, plan.from_levels_T)
