"""Linear layers that hold their weights in oneDNN's blocked layout, for a CPU.

With few rows a plain matrix product spends half its time on rearranging weights; laid out once a version, they are read
as they lie (1.5 to 2 times faster at 4 to 16 rows), and each row's sums are the same however many rows there are. The
price is a second copy of the linear weights in memory.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from policy.model import Decoder


def can_pack(model: Decoder) -> bool:
    weight = model.head_weight
    return (
        weight.device.type == "cpu"
        and weight.dtype in (torch.float32, torch.bfloat16)
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    )


class PackedLinear(nn.Module):
    """y = x W^T + b; [T, I] -> [T, O]. `source` keeps the weights; `pack` takes them over after they changed."""

    def __init__(self, source: nn.Linear) -> None:
        super().__init__()
        # out of reach of Module's bookkeeping: it is the original model's
        self.__dict__["source"] = source
        self.pack()

    @property
    def weight(self) -> Tensor:
        weight: Tensor = self.__dict__["source"].weight
        return weight

    def pack(self) -> None:
        source: nn.Linear = self.__dict__["source"]
        self.__dict__["_weight"] = PackedWeight(source.weight)
        self.__dict__["_bias"] = source.bias

    def forward(self, x_TI: Tensor) -> Tensor:
        weight: PackedWeight = self.__dict__["_weight"]
        return weight.linear(x_TI, self.__dict__["_bias"])


class PackedWeight:
    """A weight [O, I] in the layout that is best for tens of rows; others do nearly as well."""

    def __init__(self, weight_OI: Tensor) -> None:
        with torch.inference_mode():
            self._packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight_OI.detach(), 16)
            # one row alone goes through another kernel if I is large in fp32, and is summed in another order
            probe_2I = torch.randn(2, weight_OI.shape[1], dtype=weight_OI.dtype)
            self._pad = False
            self._pad = not torch.equal(self.linear(probe_2I[:1]), self.linear(probe_2I)[:1])

    def linear(self, x_TI: Tensor, bias_O: Tensor | None = None) -> Tensor:
        """[T, I] -> [T, O]; a row's result is the same to the bit whatever rows are beside it."""
        if self._pad and len(x_TI) == 1:
            padded_2O: Tensor = _linear(torch.cat((x_TI, x_TI)), self._packed, bias_O, "none", [], "")
            return padded_2O[:1]
        y_TO: Tensor = _linear(x_TI, self._packed, bias_O, "none", [], "")
        return y_TO


# the overload itself, and the one that inductor calls: no compiler is needed for it
_linear = torch.ops.mkldnn._linear_pointwise.default
