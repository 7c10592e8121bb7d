"""Low-rank adaptation (Hu et al., arXiv 2106.09685): the weights stand still, and a small product beside each learns.

A weight W is computed as W + alpha / rank B A wherever the model reads it, so the decoder knows nothing of it. What is
published and saved for others are merged weights, under the names that a plain decoder has.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import parametrize

from policy.model import Decoder
from rl.frozen import Frozen


class LoRAConfig(Frozen):
    """Train a product of two small matrices beside each weight; left out, all weights train."""

    rank: int = Field(default=16, gt=0)
    """Of the product; a weight with a smaller side has that as its rank."""
    alpha: float = Field(default=32.0, gt=0)
    """The product counts alpha / rank times."""


class _Product(nn.Module):
    """The parametrization of one matrix, or of a stack of them."""

    def __init__(self, weight: Tensor, config: LoRAConfig) -> None:
        super().__init__()
        *stack, n_out, n_in = weight.shape
        rank = min(config.rank, n_out, n_in)
        self.scale = config.alpha / config.rank
        wide = torch.promote_types(weight.dtype, torch.float32)
        self.down = nn.Parameter(weight.new_empty(*stack, rank, n_in, dtype=wide).uniform_(-1, 1) / math.sqrt(n_in))
        # zero: the model begins as it was
        self.up = nn.Parameter(weight.new_zeros(*stack, n_out, rank, dtype=wide))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.scale * (self.up @ self.down)).to(weight.dtype)


def add_lora(model: Decoder, config: LoRAConfig) -> None:
    """Freeze all weights and adapt every matrix of the layers, routers left out: they choose, and small steps jump."""
    model.requires_grad_(False)
    for name, module in list(model.layers.named_modules()):
        if name.endswith("router"):
            continue
        for key, weight in list(module.named_parameters(recurse=False)):
            if weight.ndim > 1:
                parametrize.register_parametrization(module, key, _Product(weight, config))


def merged(model: nn.Module) -> dict[str, Tensor]:
    """The state dict of a plain model that computes the same; without LoRA the model's own, nothing copied."""
    state = {name: tensor for name, tensor in model.state_dict().items() if ".parametrizations." not in name}
    with torch.no_grad():
        for path, module in model.named_modules():
            if parametrize.is_parametrized(module):
                state |= {f"{path}.{key}": getattr(module, key) for key in module.parametrizations}
    return state


def plain(model: Decoder) -> Decoder:
    """A decoder of the merged weights, for `policy.checkpoint.save`; what has no LoRA is shared with the model."""
    decoder = Decoder(model.config, device="meta", dtype=model.embedding.weight.dtype)
    decoder.load_state_dict(merged(model), assign=True)
    return decoder
