"""The context of training and scoring: whole sequences side by side, or a prefix tree, with no cache.

It can record what experts and blocks were chosen, and replay choices of another forward (a sampler's, say), so that
both compute the same function and only the numbers move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.forest import Forest
from kernels.paths import Path
from policy.config import MSAConfig
from policy.model.forest_attention import forest_attention
from policy.model.rope import Rotation

if TYPE_CHECKING:
    from kernels.lightning import ForestPlan

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

    def softmax(
        self, layer: int, q_THD: Tensor, k_TKD: Tensor, v_TKD: Tensor, rotation: Rotation, scale: float
    ) -> Tensor:
        """Each chain's queries against the keys of its path: copied and masked, or, on a CPU, where they lie."""
        q_THD, k_TKD = rotation(q_THD), rotation(k_TKD)
        if self.device.type == "cpu" and self.path != "naive" and not self.forest.only_roots:
            return forest_attention(q_THD, k_TKD, v_TKD, self.forest, scale)
        parts = []
        for chain in self._chains:
            q = q_THD[chain.queries].transpose(0, 1)
            k, v = k_TKD[chain.keys].transpose(0, 1), v_TKD[chain.keys].transpose(0, 1)
            o = F.scaled_dot_product_attention(
                q[None],
                k[None],
                v[None],
                attn_mask=chain.mask,
                is_causal=chain.mask is None,
                scale=scale,
                enable_gqa=True,
            )
            parts.append(o[0].transpose(0, 1))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def lightning(self, layer: int, q_THD: Tensor, k_THD: Tensor, v_THD: Tensor, slopes_H: Tensor) -> Tensor:
        """Children start from the state in which their parent ended."""
        from kernels.lightning import lightning_forest

        return lightning_forest(q_THD, k_THD, v_THD, slopes_H, self._plan, path=self.path)

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
        """One call for all chains, the keys of each one's path laid out in a row."""
        from kernels.msa import msa_attention

        shared = None
        if not self.forest.only_roots:
            k_TKD, v_TKD, index_k_TD = (x.index_select(0, self._path_tokens_P) for x in (k_TKD, v_TKD, index_k_TD))
            shared = self._shared_blocks(msa.block_size)
        replayed = self._replay.blocks.get(layer) if self._replay else None
        output = msa_attention(
            q_THD[None],
            k_TKD[None],
            v_TKD[None],
            index_q_TKD[None],
            index_k_TD[None],
            block_size=msa.block_size,
            top_k=msa.top_k,
            block_indices=None if replayed is None else replayed[None],
            index_loss_coeff=self._index_loss_coeff if self.losses is not None else 0.0,
            cu_seqlens_q=self._cu_seqlens_q,
            cu_seqlens_k=self._cu_seqlens_k,
            shared_blocks=shared,
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
    def _paths(self) -> list[list[int]]:
        """For each chain, where the tokens of its path lie on the flat axis, its own last."""
        return [_places([*self.forest.above(n), chain.tokens]) for n, chain in enumerate(self.forest.chains)]

    @cached_property
    def _chains(self) -> list[_Chain]:
        chains = []
        for (tokens, offset, parent), path in zip(self.forest.chains, self._paths, strict=True):
            own = slice(tokens.start, tokens.stop)
            if parent < 0:
                chains.append(_Chain(own, own, None))
                continue
            mask = torch.ones(len(tokens), len(path), dtype=torch.bool, device=self.device).tril(offset)
            chains.append(_Chain(own, self._tensor(path), mask))
        return chains

    @cached_property
    def _plan(self) -> ForestPlan:
        from kernels.lightning import ForestPlan

        return ForestPlan(self.forest, self.device)

    @cached_property
    def _path_tokens_P(self) -> Tensor:
        """Where the tokens of each chain's path lie on the flat axis, chain after chain."""
        return self._tensor([place for path in self._paths for place in path])

    def _shared_blocks(self, block_size: int) -> Tensor:
        """For each block of all paths, the first that has the same tokens: a parent has those above the fork."""
        first = [0, *accumulate(-(-len(path) // block_size) for path in self._paths)]
        shared = list(range(first[-1]))
        for number, chain in enumerate(self.forest.chains):
            n = chain.offset // block_size
            if chain.parent >= 0:
                shared[first[number] : first[number] + n] = shared[first[chain.parent] : first[chain.parent] + n]
        return self._tensor(shared)

    @cached_property
    def _cu_seqlens_q(self) -> Tensor:
        return self._cumulative([len(chain.tokens) for chain in self.forest.chains])

    @cached_property
    def _cu_seqlens_k(self) -> Tensor:
        return self._cumulative([len(path) for path in self._paths])

    def _cumulative(self, lengths: Sequence[int]) -> Tensor:
        return F.pad(self._tensor(lengths, torch.int32).cumsum(0, dtype=torch.int32), (1, 0))


@dataclass(frozen=True)
class _Chain:
    """Where a chain's tokens lie on the flat axis, and those of its path."""

    queries: slice
    keys: slice | Tensor
    mask: Tensor | None
    """Which keys a query sees, bool [queries, keys]; None: plain causal."""


def _places(ranges: Sequence[range]) -> list[int]:
    return [place for each in ranges for place in each]
