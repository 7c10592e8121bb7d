"""The context of training and scoring: whole sequences side by side, or a prefix tree, with no cache.

It can record what experts and blocks were chosen, and replay choices of another forward (a sampler's, say), so that
both compute the same function and only the numbers move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.paths import Path
from policy.config import MSAConfig
from policy.model.forest import Forest

# T tokens, H query heads, K kv heads, D head dim, N segments, P tokens of all paths together


@dataclass
class Choices:
    """The discrete choices of one forward, by layer."""

    experts: dict[int, Tensor] = field(default_factory=dict)
    """int64 [T, top_k]."""
    blocks: dict[int, Tensor] = field(default_factory=dict)
    """int32 [T, K, top_k], numbered along each token's own sequence, -1 for none."""


class PackedContext:
    """For one forward: make a new one for the next. Every mixer takes trees."""

    def __init__(
        self,
        lengths: Sequence[int],
        parents: Sequence[int] | None = None,
        *,
        device: torch.device | str | None = None,
        record: Choices | None = None,
        replay: Choices | None = None,
        collect_losses: bool = False,
        index_loss_coeff: float = 0.0,
        path: Path | None = None,
    ) -> None:
        """Segments as in `Forest`; without parents, separate sequences.

        record: filled with this forward's choices. replay: choices to follow, for the layers it has.
        collect_losses: layers put auxiliary losses into `losses`; index_loss_coeff is the weight of MSA's among them.
        path: the kernels' path, None for the device's own. ValueError: segments that are no forest.
        """
        self.forest = Forest(tuple(lengths), (-1,) * len(lengths) if parents is None else tuple(parents))
        self.device = torch.device("cpu" if device is None else device)
        self.positions_T = self._tensor(
            [
                i
                for start, n in zip(self.forest.offsets, self.forest.lengths, strict=True)
                for i in range(start, start + n)
            ]
        )
        self.losses: dict[str, Tensor] | None = {} if collect_losses else None
        self.msa_paths: dict[int, str] = {}
        """By layer, the path that MSA took; "dense" where every block was chosen anyway."""
        self._record, self._replay = record, replay
        self._index_loss_coeff, self.path = index_loss_coeff, path

    def softmax(self, layer: int, q_THD: Tensor, k_TKD: Tensor, v_TKD: Tensor, scale: float) -> Tensor:
        """A call for each segment: its queries against the keys of its path, so that no pair is computed in vain."""
        parts = []
        for segment, keys in enumerate(self._keys):
            tokens = self.forest.tokens(segment)
            q = q_THD[tokens.start : tokens.stop].transpose(0, 1)
            k, v = k_TKD[keys].transpose(0, 1), v_TKD[keys].transpose(0, 1)
            mask = self._masks[segment]
            o = F.scaled_dot_product_attention(
                q[None], k[None], v[None], attn_mask=mask, is_causal=mask is None, scale=scale, enable_gqa=True
            )
            parts.append(o[0].transpose(0, 1))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def lightning(self, layer: int, q_THD: Tensor, k_THD: Tensor, v_THD: Tensor, slopes_H: Tensor) -> Tensor:
        """Depth by depth: children start from the state in which their parent ended."""
        from kernels.lightning import lightning_attention

        parts: list[Tensor] = []
        states: Tensor | None = None
        for level in self._levels:
            q, k, v = (x[level.tokens][None] for x in (q_THD, k_THD, v_THD))
            start = None if states is None else states[level.parents]
            o, states = lightning_attention(
                q, k, v, slopes_H, initial_state=start, cu_seqlens=level.cu_seqlens, path=self.path
            )
            parts.append(o[0])
        return parts[0] if len(parts) == 1 else torch.cat(parts)[self._from_levels]

    def msa(
        self,
        layer: int,
        q_THD: Tensor,
        k_TKD: Tensor,
        v_TKD: Tensor,
        index_q_TKD: Tensor,
        index_k_TD: Tensor,
        msa: MSAConfig,
    ) -> Tensor:
        """One call for all segments, the keys of each path laid out in a row."""
        from kernels.msa import msa_attention

        keys = slice(None) if self.forest.only_roots else self._path_tokens_P
        replayed = self._replay.blocks.get(layer) if self._replay else None
        output = msa_attention(
            q_THD[None],
            k_TKD[keys][None],
            v_TKD[keys][None],
            index_q_TKD[None],
            index_k_TD[keys][None],
            block_size=msa.block_size,
            top_k=msa.top_k,
            block_indices=None if replayed is None else replayed[None],
            index_loss_coeff=self._index_loss_coeff if self.losses is not None else 0.0,
            cu_seqlens_q=self._cu_seqlens_q,
            cu_seqlens_k=self._cu_seqlens_k,
            path=self.path,
        )
        self.msa_paths[layer] = output.path
        if self._record is not None:
            self._record.blocks[layer] = output.block_indices[0]
        if self.losses is not None and output.index_loss is not None:
            self.losses[f"index/{layer}"] = output.index_loss
        return output.o[0]

    def record_experts(self, layer: int, ids_Tk: Tensor) -> None:
        if self._record is not None:
            self._record.experts[layer] = ids_Tk

    def replay_experts(self, layer: int) -> Tensor | None:
        return self._replay.experts.get(layer) if self._replay else None

    @cached_property
    def predecessors_T(self) -> Tensor:
        """int64 [T]: where on the flat axis the token before each token lies; -1 for the first of a sequence."""
        forest = self.forest
        before = [t - 1 for t in range(forest.n_tokens)]
        for start, parent in zip(forest.starts, forest.parents, strict=False):
            before[start] = -1 if parent < 0 else forest.tokens(parent)[-1]
        return self._tensor(before)

    def _tensor(self, values: Sequence[int], dtype: torch.dtype = torch.int64) -> Tensor:
        return torch.tensor(values, dtype=dtype, device=self.device)

    @cached_property
    def _keys(self) -> list[slice | Tensor]:
        """For each segment, where the tokens of its path lie."""
        keys: list[slice | Tensor] = []
        for segment, parent in enumerate(self.forest.parents):
            own = self.forest.tokens(segment)
            if parent < 0:
                keys.append(slice(own.start, own.stop))
            else:
                keys.append(self._tensor([t for s in self.forest.path(segment) for t in self.forest.tokens(s)]))
        return keys

    @cached_property
    def _masks(self) -> list[Tensor | None]:
        """For each segment, which keys of its path a query sees, bool [queries, keys]; None: plain causal."""
        return [
            None if parent < 0 else torch.ones(n, offset + n, dtype=torch.bool, device=self.device).tril(offset)
            for n, parent, offset in zip(self.forest.lengths, self.forest.parents, self.forest.offsets, strict=True)
        ]

    @cached_property
    def _levels(self) -> list[_Level]:
        forest, levels, place = self.forest, [], {-1: 0}
        for depth in range(max(forest.depths) + 1):
            segments = [s for s, its_depth in enumerate(forest.depths) if its_depth == depth]
            parents = [place[forest.parents[s]] for s in segments]
            place |= {s: i for i, s in enumerate(segments)}
            lengths = [forest.lengths[s] for s in segments]
            tokens = self._tensor([t for s in segments for t in forest.tokens(s)])
            everything = slice(None) if forest.only_roots else tokens
            levels.append(_Level(everything, self._tensor(parents), self._cumulative(lengths)))
        return levels

    @cached_property
    def _from_levels(self) -> Tensor:
        """From level order back to the flat axis, [T]."""
        return torch.cat([level.tokens for level in self._levels if isinstance(level.tokens, Tensor)]).argsort()

    @cached_property
    def _path_tokens_P(self) -> Tensor:
        forest = self.forest
        return self._tensor([t for s in range(len(forest.lengths)) for a in forest.path(s) for t in forest.tokens(a)])

    @cached_property
    def _cu_seqlens_q(self) -> Tensor:
        return self._cumulative(self.forest.lengths)

    @cached_property
    def _cu_seqlens_k(self) -> Tensor:
        return self._cumulative([o + n for o, n in zip(self.forest.offsets, self.forest.lengths, strict=True)])

    def _cumulative(self, lengths: Sequence[int]) -> Tensor:
        return F.pad(self._tensor(lengths, torch.int32).cumsum(0, dtype=torch.int32), (1, 0))


@dataclass(frozen=True)
class _Level:
    """The segments of one depth."""

    tokens: Tensor | slice
    """Where their tokens lie on the flat axis."""
    parents: Tensor
    """[N]: each one's parent, by its place in the level above."""
    cu_seqlens: Tensor
    """int32 [N + 1]."""
