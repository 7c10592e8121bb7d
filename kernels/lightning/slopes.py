"""How fast each head of each layer forgets."""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.paths import KernelInputError


def decay_slopes(n_heads: int, layer: int, n_layers: int) -> Tensor:
    """MiniMax's slopes s [H], float32: after one token head h of this layer keeps exp(-s_h) of its state.

    s_h = 2^(-8(h+1)/H) * (1 - layer/(n_layers - 1 + 1e-5) + 1e-5), as in MiniMax-Text-01 and transformers' MiniMax.
    `layer` counts all the model's layers, not only those with lightning attention.

    Raises KernelInputError unless 0 <= layer < n_layers and H is a power of two: for other H the public
    implementations disagree, and none of the models has one.
    """
    if n_heads < 1 or n_heads & (n_heads - 1):
        raise KernelInputError(f"{n_heads} heads: MiniMax's slopes are defined for a power of two")
    if not 0 <= layer < n_layers:
        raise KernelInputError(f"layer {layer} of {n_layers}: layers are counted from 0 over the whole model")
    exponents_H = torch.arange(1, n_heads + 1, dtype=torch.float64) * (-8 / n_heads)
    return (torch.exp2(exponents_H) * (1 - layer / (n_layers - 1 + 1e-5) + 1e-5)).float()
