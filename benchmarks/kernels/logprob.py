"""Log-probability and entropy of chosen tokens, forward and backward, against whole logits.

CPU: SmolLM2-135M's head (V = 49152, E = 576), float32; processor time of one thread. GPU: V = 200064, E = 6144 as
MiniMax-M3, bfloat16.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.kernels.measure import Action, cpu_ms, gpu_ms, peak_bytes
from benchmarks.report import Row, lower
from kernels.logprob import chosen_logprobs

_MIB = 1 << 20
_BF16_FLOPS = 989e12


def cpu_rows(quick: bool) -> list[Row]:
    T, V, E = 256 if quick else 1024, 49152, 576
    inputs = _inputs(T, V, E, torch.float32, "cpu")
    ours, whole = _action(*inputs, "chunked"), _action(*inputs, "naive")
    n, name = 1 if quick else 3, f"logprob (chunked) forward and backward, T = {T}, V = {V}, E = {E}"
    return [
        lower(name, cpu_ms(ours, n), "ms", peer="whole logits", peer_value=cpu_ms(whole, n)),
        lower(f"{name}: peak memory", peak_bytes(ours, "cpu") / _MIB, "MiB", peer="whole logits",
              peer_value=peak_bytes(whole, "cpu") / _MIB, bound=f"gradients: {4 * (T + V) * E / _MIB:.0f} MiB"),
    ]  # fmt: skip


def gpu_rows(quick: bool) -> list[Row]:
    V, E, n, rows = 200064, 6144, 3 if quick else 10, []
    for T in (4096,) if quick else (4096, 16384):
        inputs = _inputs(T, V, E, torch.bfloat16, "cuda")
        ours, whole = _action(*inputs, "triton"), _action(*inputs, "naive")
        name = f"logprob (triton) forward and backward, T = {T}, V = {V}, E = {E}"
        floor = f"{8 * T * V * E / 1e12:.0f} TFLOP: {8e3 * T * V * E / _BF16_FLOPS:.1f} ms"
        rows += [
            lower(name, gpu_ms(ours, n), "ms", peer="whole logits in float32", peer_value=gpu_ms(whole, n),
                  bound=floor),
            lower(f"{name}: peak memory", peak_bytes(ours, "cuda") / _MIB, "MiB", peer="whole logits in float32",
                  peer_value=peak_bytes(whole, "cuda") / _MIB, bound=f"gradients: {2 * (T + V) * E / _MIB:.0f} MiB"),
        ]  # fmt: skip
    return rows


def _inputs(T: int, V: int, E: int, dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(T)
    hidden, weight = torch.randn(T, E, device=device).to(dtype), (torch.randn(V, E, device=device) / E**0.5).to(dtype)
    return hidden.requires_grad_(), weight.requires_grad_(), torch.randint(V, (T,), device=device)


def _action(hidden: Tensor, weight: Tensor, targets: Tensor, path: str) -> Action:
    def run() -> object:
        logprobs, entropy = chosen_logprobs(hidden, weight, targets, path=path)  # type: ignore[arg-type]
        return torch.autograd.grad(logprobs.sum() + entropy.sum(), (hidden, weight))

    return run
