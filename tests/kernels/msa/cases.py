"""Inputs for tests of MSA."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NAMES = ("q", "k", "v", "index_q", "index_k")


@dataclass(frozen=True)
class Inputs:
    """Of B sequences, Tq queries behind Tk - Tq older tokens, H heads of D in K groups, index heads of Di."""

    q: Tensor
    k: Tensor
    v: Tensor
    index_q: Tensor
    index_k: Tensor

    def all(self) -> tuple[Tensor, ...]:
        return self.q, self.k, self.v, self.index_q, self.index_k

    def main(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.q, self.k, self.v

    def index(self) -> tuple[Tensor, Tensor]:
        return self.index_q, self.index_k

    def cut(self, queries: slice, keys: slice) -> Inputs:
        cuts = (queries, keys, keys, queries, keys)
        return Inputs(*(x[:, part].detach().requires_grad_() for x, part in zip(self.all(), cuts, strict=True)))


def make(
    B: int = 1, Tq: int = 37, H: int = 4, K: int = 2, D: int = 16, Di: int = 16, *, prefix: int = 0,
    dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu", seed: int = 0,
) -> Inputs:  # fmt: skip
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        x = torch.randn(*shape, dtype=torch.float64, generator=generator)
        return x.to(device=device, dtype=dtype).requires_grad_()

    Tk = Tq + prefix
    return Inputs(
        normal(B, Tq, H, D), normal(B, Tk, K, D), normal(B, Tk, K, D), normal(B, Tq, K, Di), normal(B, Tk, Di)
    )  # fmt: skip


def gradients(output: Tensor, inputs: Inputs) -> dict[str, Tensor | None]:
    """By name, of a sum that weighs every value of the output differently."""
    weights = torch.linspace(-1, 1, output.numel(), dtype=torch.float64).to(output)
    found = torch.autograd.grad((output.flatten() * weights).sum(), inputs.all(), allow_unused=True)
    return dict(zip(NAMES, found, strict=True))


def cu_seqlens(*lengths: int, device: torch.device | str = "cpu") -> Tensor:
    return torch.tensor([0, *torch.tensor(lengths).cumsum(0).tolist()], dtype=torch.int32, device=device)
