"""Lightning attention over a prefix tree: each segment begins with the state in which its parent ended.

T tokens, H heads, D head dim, N segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.lightning.chunks import Chunks
from kernels.lightning.forest_chunked import ForestLightning
from kernels.lightning.op import check_qkv, lightning_attention
from kernels.paths import KernelInputError, Path, resolve


@dataclass(frozen=True)
class Segments:
    """How T tokens fall into a forest. Made once, for all layers that see the same tokens."""

    lengths: tuple[int, ...]
    """Tokens of each, which lie one behind the other."""
    parents: tuple[int, ...]
    """Of each an earlier one, or -1: it begins with a state of zeros."""
    device: torch.device

    @cached_property
    def n_tokens(self) -> int:
        return sum(self.lengths)

    @cached_property
    def chunks(self) -> Chunks:
        return Chunks.of(self.lengths, self.parents, self.device)

    @cached_property
    def levels(self) -> list[Level]:
        """By rising depth."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(0 if parent < 0 else depths[parent] + 1)
        by_depth: list[list[int]] = [[] for _ in range(max(depths) + 1)]
        place = [0] * len(depths)
        for segment, depth in enumerate(depths):
            place[segment] = len(by_depth[depth])
            by_depth[depth].append(segment)
        return [
            Level(
                segments,
                sum(self.lengths[s] for s in segments),
                self._tensor([place[self.parents[s]] for s in segments]),
                F.pad(self._tensor([self.lengths[s] for s in segments]).cumsum(0), (1, 0)).int(),
            )
            for segments in by_depth
        ]

    @cached_property
    def by_level_T(self) -> Tensor:
        """int64: from the order of tokens to that of levels."""
        starts = list(accumulate(self.lengths, initial=0))
        ordered = (s for level in self.levels for s in level.segments)
        return self._tensor([token for s in ordered for token in range(starts[s], starts[s + 1])])

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
    q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, segments: Segments, *, path: Path | None = None
) -> Tensor:
    """What `lightning_attention` gives for each token of a forest that sees what stands on its path from the root.

    Args:
        q, k, v, slopes: as there, without the batch: [T,H,D] and [H].
        path: chunked takes all segments at once, chunk by chunk; the others go level by level.

    Returns:
        o [T,H,D], differentiable in q, k and v.

    Raises:
        KernelInputError: as there, or the segments have another number of tokens.
    """
    check_qkv(q, k, v, slopes, "[T,H,D]")
    if len(q) != segments.n_tokens:
        raise KernelInputError(f"segments have {segments.n_tokens} tokens, q has {len(q)}: they must be the same")
    path = resolve(path, q, k, v, slopes)
    if path == "chunked":
        return ForestLightning.apply(q, k, v, slopes, segments.chunks)  # type: ignore[no-any-return, no-untyped-call]
    if len(segments.levels) == 1:  # all are roots, and lie in the order of their level
        cu_seqlens = segments.levels[0].cu_seqlens
        return lightning_attention(q[None], k[None], v[None], slopes, cu_seqlens=cu_seqlens, path=path)[0][0]
    parts: list[Tensor] = []
    states: Tensor | None = None
    # one gather and one split: a gather for each level would make gradients of all tokens each time
    lengths = [level.n_tokens for level in segments.levels]
    ordered = [torch.split(x.index_select(0, segments.by_level_T), lengths) for x in (q, k, v)]
    for level, q_l, k_l, v_l in zip(segments.levels, *ordered, strict=True):
        start = None if states is None else states.index_select(0, level.parents)
        o, states = lightning_attention(
            q_l[None], k_l[None], v_l[None], slopes, initial_state=start, cu_seqlens=level.cu_seqlens, path=path
        )
        parts.append(o[0])
    return torch.cat(parts).index_select(0, segments.from_levels_T)
