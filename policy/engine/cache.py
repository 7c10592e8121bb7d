"""The tensors behind pages and rows: keys, values, index keys, lightning states, choices. It decides nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from policy.config import PolicyConfig
from policy.engine.pages import PageTable
from policy.model.packed import Choices

# P pages, S rows of states, H query heads, K kv heads, D head dim, I index dim; slot = page * page_tokens + offset


class Cache:
    """Zeros at first; the system gives memory to pages as they are first written."""

    def __init__(
        self,
        config: PolicyConfig,
        n_pages: int,
        page_tokens: int,
        n_rows: int,
        *,
        dtype: torch.dtype,
        device: torch.device,
        record_experts: bool,
        record_blocks: bool,
    ) -> None:
        def pages(layers: list[int], *shape: int, dtype: torch.dtype = dtype) -> dict[int, Tensor]:
            size = (n_pages * page_tokens, *shape)
            # zeros from calloc take no memory until they are written
            return {layer: torch.zeros(size, dtype=dtype, device=device) for layer in layers}

        def layers(*mixers: str) -> list[int]:
            return [i for i, layer in enumerate(config.layers) if layer.mixer in mixers]

        H, K, D = config.n_heads, config.n_kv_heads, config.head_dim
        self.page_tokens, self.device = page_tokens, device
        self.k: dict[int, Tensor] = pages(layers("softmax", "msa"), K, D)
        """Layer -> [P * page_tokens, K, D]."""
        self.v: dict[int, Tensor] = pages(layers("softmax", "msa"), K, D)
        self.index_k: dict[int, Tensor] = {}
        """Layer -> [P * page_tokens, I]."""
        self.blocks: dict[int, Tensor] = {}
        """Layer -> int32 [P * page_tokens, K, top_k]."""
        if config.msa is not None:
            self.index_k = pages(layers("msa"), config.msa.index_dim)
            if record_blocks:
                self.blocks = pages(layers("msa"), K, config.msa.top_k, dtype=torch.int32)
        self.experts: dict[int, Tensor] = {}
        """Layer -> int32 [P * page_tokens, top_k]."""
        if config.moe is not None and record_experts:
            moe = [i for i, layer in enumerate(config.layers) if layer.feed_forward == "moe"]
            self.experts = pages(moe, config.moe.top_k, dtype=torch.int32)
        lightning = layers("lightning")
        states = torch.zeros((len(lightning), n_rows, H, D, D), dtype=torch.float32, device=device)
        self.all_states = states
        self.states: dict[int, Tensor] = dict(zip(lightning, states, strict=True))
        """Layer -> fp32 [S, H, D, D]."""

    def copy_states(self, copies: list[tuple[int | None, int]]) -> None:
        """Row to row in all layers, in order; from None: zeros."""
        for source, row in copies:
            if source is None:
                self.all_states[:, row].zero_()
            else:
                self.all_states[:, row] = self.all_states[:, source]

    def choices(self, table: PageTable, n_tokens: int) -> Choices:
        """What was recorded of a request's first n_tokens."""
        slots = torch.tensor(
            [slot for first, n in table.slots(0, n_tokens) for slot in range(first, first + n)], device=self.device
        )
        experts = {layer: recorded[slots].long() for layer, recorded in self.experts.items()}
        return Choices(experts, {layer: recorded[slots] for layer, recorded in self.blocks.items()})
