"""What an engine on a CPU runs in a decoder's place: the same modules, the slow ones exchanged for faster ones.

Weights are the original's own tensors, but for packed copies; `repack` takes over what has changed.
"""

from __future__ import annotations

from copy import copy

from torch import Tensor, nn

from policy.engine.native import Native
from policy.engine.pack import PackedLinear
from policy.model import Decoder
from policy.model.context import Context
from policy.model.mlp import MLP
from policy.model.norm import RMSNorm


def twin(model: Decoder, native: Native) -> Decoder:
    """Linear layers, norms and SwiGLUs by these kernels."""

    def mirror(module: nn.Module) -> nn.Module:
        if type(module) is nn.Linear:
            return PackedLinear(module, native)
        if isinstance(module, RMSNorm) and not module.plus_one:
            return _NativeNorm(module, native)
        if isinstance(module, MLP) and module.clamped is None:
            return _NativeMLP(mirror(module.gate_up), mirror(module.down), native)
        mirrored = copy(module)
        mirrored._modules = {name: child and mirror(child) for name, child in module._modules.items()}
        return mirrored

    mirrored = mirror(model)
    assert isinstance(mirrored, Decoder)
    return mirrored


def repack(mirrored: Decoder) -> None:
    for module in mirrored.modules():
        if isinstance(module, PackedLinear):
            module.pack()


class _NativeNorm(nn.Module):
    def __init__(self, source: RMSNorm, native: Native) -> None:
        super().__init__()
        # out of reach of Module's bookkeeping: it is the original model's
        self.__dict__["_source"] = source
        self._native = native

    def forward(self, x: Tensor) -> Tensor:
        source: RMSNorm = self.__dict__["_source"]
        return self._native.rms_norm(x, source.weight, source.eps)


class _NativeMLP(nn.Module):
    def __init__(self, gate_up: nn.Module, down: nn.Module, native: Native) -> None:
        super().__init__()
        self.gate_up, self.down = gate_up, down
        self._native = native

    def forward(self, x_TE: Tensor, context: Context) -> Tensor:
        down_TE: Tensor = self.down(self._native.swiglu(self.gate_up(x_TE)))
        return down_TE
