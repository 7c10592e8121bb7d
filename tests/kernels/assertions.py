"""How far two tensors may be apart."""

from __future__ import annotations

import torch
from torch import Tensor


def assert_close(name: str, reference: Tensor | None, got: Tensor | None, ratio: float) -> None:
    """The root mean square of the error is at most `ratio` of the reference's; a reference of zeros wants exact zeros.

    Shapes must be equal and everything finite. The difference is taken in float64 on the CPU.
    """
    assert reference is not None, f"{name}: the reference is None"
    assert got is not None, f"{name}: got None"
    assert got.shape == reference.shape, f"{name}: shape {tuple(got.shape)}, wanted {tuple(reference.shape)}"
    want, have = reference.detach().double().cpu(), got.detach().double().cpu()
    assert torch.isfinite(want).all(), f"{name}: the reference is not finite"
    assert torch.isfinite(have).all(), f"{name}: {int((~torch.isfinite(have)).sum())} values are not finite"
    if want.numel() == 0:
        return
    error, scale = (have - want).square().mean().sqrt().item(), want.square().mean().sqrt().item()
    worst = (have - want).abs().max().item()
    assert error <= ratio * scale, f"{name}: error ratio {error / (scale or 1):.2e} > {ratio:.2e}, worst {worst:.2e}"
