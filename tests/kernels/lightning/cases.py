"""Inputs of lightning attention, and all that comes out of it, by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kernels.lightning import decay_slopes, lightning_attention
from tests.kernels.assertions import assert_close


@dataclass(frozen=True)
class Case:
    q: Tensor
    k: Tensor
    v: Tensor
    slopes: Tensor
    initial_state: Tensor
    cu_seqlens: Tensor | None
    d_o: Tensor
    d_state: Tensor

    def to(self, dtype: torch.dtype, device: torch.device | str = "cpu") -> Case:
        """q, k, v and their like in `dtype`; states in what goes with it."""
        state = torch.promote_types(dtype, torch.float32)
        tokens = {name: getattr(self, name).to(device, dtype) for name in ("q", "k", "v", "d_o")}
        states = {name: getattr(self, name).to(device, state) for name in ("initial_state", "d_state")}
        where = None if self.cu_seqlens is None else self.cu_seqlens.to(device)
        return replace(self, **tokens, **states, slopes=self.slopes.to(device), cu_seqlens=where)

    def results(self, path: str) -> dict[str, Tensor]:
        """o, the last state, and the gradients of all four inputs, through both."""
        return results(self, lambda q, k, v, state: lightning_attention(
            q, k, v, self.slopes, initial_state=state, cu_seqlens=self.cu_seqlens, path=path
        ))  # fmt: skip


def results(case: Case, operation) -> dict[str, Tensor]:
    inputs = [x.clone().requires_grad_() for x in (case.q, case.k, case.v, case.initial_state)]
    o, state = operation(*inputs)
    torch.autograd.backward([o, state], [case.d_o, case.d_state])
    names = ("dq", "dk", "dv", "d(initial_state)")
    return {"o": o.detach(), "state": state.detach(), **{n: x.grad for n, x in zip(names, inputs, strict=True)}}


def case(B: int, T: int, H: int, D: int, *, lengths: list[int] | None = None, layer: int = 1, seed: int = 0) -> Case:
    """Random, in float64. `lengths`: sequences packed into the T tokens."""
    g = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    N = B if lengths is None else len(lengths)
    cu_seqlens = None if lengths is None else torch.tensor([0, *lengths]).cumsum(0)
    return Case(
        *(draw(B, T, H, D) for _ in range(3)), decay_slopes(H, layer, 8), draw(N, H, D, D), cu_seqlens,
        draw(B, T, H, D), draw(N, H, D, D),
    )  # fmt: skip


def assert_all_close(reference: dict[str, Tensor], got: dict[str, Tensor], ratio: float) -> None:
    assert reference.keys() == got.keys()
    for name, tensor in reference.items():
        assert_close(name, tensor, got[name], ratio)
