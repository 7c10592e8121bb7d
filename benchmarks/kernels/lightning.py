"""Lightning attention as T grows: against the recurrence and softmax attention on the CPU, against fla on a GPU.

One sequence. CPU: 2 heads of 64, float32, chunked torch; processor time of one thread. GPU: 64 heads of 128, bfloat16,
Triton. fla's simple_gla gets the same slopes (g_gamma = -s, scale = 1) and must first give the same outputs. SDPA
computes another function, causal softmax attention: what the layer would cost without this one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.kernels.measure import Action, cpu_ms, gpu_ms, peak_bytes
from benchmarks.kernels.plot import log_log
from benchmarks.peers import need
from benchmarks.report import Row, lower
from kernels.lightning import decay_slopes, lightning_attention

PLOT = Path(__file__).parents[1] / "results" / "lightning-cpu.svg"
HBM_BYTES_PER_S = 4.8e12
"""Of an H200, as its data sheet has it."""
BF16_FLOPS = 989e12
"""Likewise, dense."""
_MIB = 1 << 20


def cpu_rows(quick: bool) -> list[Row]:
    slopes, n = decay_slopes(2, 0, 8), 1 if quick else 3
    lengths = [1024, 4096, 16384] if quick else [1024, 4096, 16384, 65536]
    rows: list[Row] = []
    lines: dict[str, list[tuple[float, float]]] = {"lightning, chunked torch": [], "SDPA, causal": [], "recurrence": []}
    for T in lengths:
        q, k, v = _qkv(T, 2, 64, torch.float32, "cpu")
        forward = f"lightning (chunked) forward, T = {T}"
        chunked, softmax = _attention(q, k, v, slopes, "chunked"), _softmax(q, k, v)
        ours_ms, softmax_ms = cpu_ms(chunked, n), cpu_ms(softmax, n if T < 16384 else 1)
        softmax_mib = peak_bytes(softmax, "cpu") / _MIB if T <= 16384 else None
        rows += [
            lower(forward, ours_ms, "ms", peer="SDPA", peer_value=softmax_ms),
            lower(f"{forward}: peak memory above q, k, v", peak_bytes(chunked, "cpu") / _MIB, "MiB", peer="SDPA",
                  peer_value=softmax_mib, bound=f"o: {T * 2 * 64 * 4 / _MIB:.1f} MiB"),
        ]  # fmt: skip
        lines["lightning, chunked torch"].append((T, ours_ms))
        lines["SDPA, causal"].append((T, softmax_ms))
        if T <= 4096:
            naive_ms = cpu_ms(_attention(q, k, v, slopes, "naive"), 1)
            rows.append(lower(forward, ours_ms, "ms", peer="recurrence", peer_value=naive_ms))
            lines["recurrence"].append((T, naive_ms))
        if T <= 16384:
            both_ms, softmax_ms = cpu_ms(_trained(q, k, v, slopes, "chunked"), n), cpu_ms(_trained_softmax(q, k, v), 1)
            rows.append(lower(f"lightning (chunked) forward and backward, T = {T}", both_ms, "ms", peer="SDPA",
                              peer_value=softmax_ms))  # fmt: skip
    (first, first_ms), (last, last_ms) = lines["lightning, chunked torch"][1], lines["lightning, chunked torch"][-1]
    exponent = math.log(last_ms / first_ms) / math.log(last / first)
    rows.append(lower(f"lightning (chunked): time grows as T to the power of, {first} to {last}", exponent, "",
                      at_most=1.15))  # fmt: skip
    if not quick:
        log_log(PLOT, "Forward pass, 2 heads of 64, float32, one CPU thread", "tokens", "milliseconds", lines)
    return rows


def gpu_rows(quick: bool) -> list[Row]:
    H, D, n, rows = 64, 128, 5 if quick else 20, []
    simple_gla = _fla()
    slopes = decay_slopes(H, 0, 80).cuda()
    for T in (4096, 32768) if quick else (4096, 8192, 16384, 32768, 65536, 131072):
        q, k, v = _qkv(T, H, D, torch.bfloat16, "cuda")

        def theirs(q: Tensor = q, k: Tensor = k, v: Tensor = v) -> Tensor:
            return simple_gla(q, k, v, g_gamma=-slopes, scale=1.0)[0]

        ours = _attention(q, k, v, slopes, "triton")
        _check_same(ours(), theirs(), f"T = {T}")
        matrix, moved = 4 * T * H * D * (64 + D), 4 * T * H * D * 2
        floor_ms = 1000 * max(moved / HBM_BYTES_PER_S, matrix / BF16_FLOPS)
        bound = f"{moved / 1e9:.1f} GB, {matrix / 1e12:.2f} TFLOP: {floor_ms:.2f} ms"
        forward, forward_ms = f"lightning (triton) forward, T = {T}", gpu_ms(ours, n)
        trained = f"lightning (triton) forward and backward, T = {T}"
        both, their_both = _trained(q, k, v, slopes, "triton"), _gradients(theirs, q, k, v)
        both_bound = f"{3 * moved / 1e9:.1f} GB, {3 * matrix / 1e12:.2f} TFLOP: {3 * floor_ms:.2f} ms"
        peak = peak_bytes(both, "cuda") / _MIB
        rows += [
            lower(forward, forward_ms, "ms", peer="fla simple_gla", peer_value=gpu_ms(torch.no_grad()(theirs), n),
                  bound=bound, ratio_at_least=1.0),
            lower(forward, forward_ms, "ms", peer="SDPA", peer_value=gpu_ms(_softmax(q, k, v), n)),
            lower(trained, gpu_ms(both, n), "ms", peer="fla simple_gla",
                  peer_value=gpu_ms(their_both, n), bound=both_bound, ratio_at_least=1.0),
            lower(f"{trained}: peak memory", peak, "MiB", peer="fla simple_gla",
                  peer_value=peak_bytes(their_both, "cuda") / _MIB),
        ]  # fmt: skip
    return rows


def _fla() -> Callable[..., tuple[Tensor, Tensor]]:
    try:
        chunk_simple_gla: Callable[..., tuple[Tensor, Tensor]] = import_module("fla.ops.simple_gla").chunk_simple_gla
    except ImportError as error:
        raise need("fla", f"pip install flash-linear-attention ({error})") from None
    return chunk_simple_gla


def _qkv(T: int, H: int, D: int, dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """[1,T,H,D] each, silu'd as MiniMax does, with gradients wanted."""
    torch.manual_seed(T)
    x = [torch.nn.functional.silu(torch.randn(1, T, H, D, device=device)).to(dtype) for _ in range(3)]
    q, k, v = (y.requires_grad_() for y in x)
    return q, k, v


def _attention(q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, path: str) -> Callable[[], Tensor]:
    @torch.no_grad()
    def run() -> Tensor:
        return lightning_attention(q, k, v, slopes, path=path)[0]  # type: ignore[arg-type]

    return run


def _softmax(q: Tensor, k: Tensor, v: Tensor) -> Callable[[], Tensor]:
    return torch.no_grad()(_softmax_of(q, k, v))


def _softmax_of(q: Tensor, k: Tensor, v: Tensor) -> Callable[[], Tensor]:
    def run() -> Tensor:
        return torch.nn.functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True
        )

    return run


def _trained(q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, path: str) -> Action:
    return _gradients(lambda: lightning_attention(q, k, v, slopes, path=path)[0], q, k, v)  # type: ignore[arg-type]


def _trained_softmax(q: Tensor, k: Tensor, v: Tensor) -> Action:
    return _gradients(_softmax_of(q, k, v), q, k, v)


def _gradients(forward: Callable[[], Tensor], *inputs: Tensor) -> Action:
    d_o: list[Tensor] = []

    def run() -> object:
        o = forward()
        if not d_o:
            d_o.append(torch.randn_like(o))
        return torch.autograd.grad(o, inputs, d_o[0])

    return run


def _check_same(ours: Tensor, theirs: Tensor, where: str) -> None:
    error = ((ours.float() - theirs.float()).square().mean() / theirs.float().square().mean()).sqrt().item()
    if not error < 0.01:
        raise SystemExit(f"lightning at {where} differs from fla's by {error:.3g} of its RMS: no time is worth a look")
