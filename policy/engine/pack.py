"""Linear layers that hold their weights as the engine's own kernels want them, for a CPU.

Laid out once a version, weights are read as they lie. The price is a second copy of them in memory.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from policy.engine.native import Native, to_panels

# T rows, I inputs, O outputs


class PackedLinear(nn.Module):
    """y = x W^T + b; [T, I] -> [T, O]. `source` keeps the weights; `pack` takes them over after they changed."""

    def __init__(self, source: nn.Linear, native: Native) -> None:
        super().__init__()
        # out of reach of Module's bookkeeping: it is the original model's
        self.__dict__["source"] = source
        self._native = native
        self.pack()

    @property
    def weight(self) -> Tensor:
        weight: Tensor = self.__dict__["source"].weight
        return weight

    def pack(self) -> None:
        source: nn.Linear = self.__dict__["source"]
        self._packed = PackedWeight(source.weight, self._native)
        self._bias = None if source.bias is None else source.bias.detach()

    def forward(self, x_TI: Tensor) -> Tensor:
        return self._packed.linear(x_TI, self._bias)


class PackedWeight:
    """A weight [O, I]."""

    def __init__(self, weight_OI: Tensor, native: Native) -> None:
        with torch.inference_mode():
            self._panels = to_panels(weight_OI.detach())
        self._outputs, self._native = len(weight_OI), native

    def linear(self, x_TI: Tensor, bias_O: Tensor | None = None) -> Tensor:
        """[T, I] -> [T, O]."""
        return self._native.linear(x_TI, self._panels, bias_O, self._outputs)
