"""Lightning attention as T grows: against the recurrence and softmax attention on the CPU, against fla on a GPU.

One sequence. CPU: 2 heads of 64, float32; chunked torch. GPU: 64 heads of 128, bfloat16; Triton. fla's simple_gla gets
the same slopes (g_gamma = -s, scale = 1) and must first give the same outputs. SDPA computes another function, causal
softmax attention: what the layer would cost without this one.
"""

from __future__ import annotations

import math
import time
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
    naive_most, rows = 4096, []
    chunked_ms: dict[int, float] = {}
    lines: dict[str, list[tuple[float, float]]] = {"lightning, chunked torch": [], "SDPA, causal": [], "recurrence": []}
    for T in lengths:
        q, k, v = _qkv(T, 2, 64, torch.float32, "cpu")
        chunked = _attention(q, k, v, slopes, "chunked")
        chunked_ms[T] = cpu_ms(chunked, n)
        softmax = _softmax(q, k, v)
        # the long ones take a minute each
        softmax_ms = cpu_ms(softmax, n) if T <= 16384 else _once_ms(softmax)
        rows.append(lower(f"lightning forward, T = {T}", chunked_ms[T], "ms", peer="SDPA", peer_value=softmax_ms))
        rows.append(lower(f"lightning forward, T = {T}: peak memory above q, k, v", peak_bytes(chunked, "cpu") / _MIB,
                          "MiB", peer="SDPA", peer_value=peak_bytes(softmax, "cpu") / _MIB if T <= 16384 else None,
                          bound=f"o: {T * 2 * 64 * 4 / _MIB:.1f} MiB"))  # fmt: skip
        lines["lightning, chunked torch"].append((T, chunked_ms[T]))
        lines["SDPA, causal"].append((T, softmax_ms))
        if T <= naive_most:
            naive_ms = cpu_ms(_attention(q, k, v, slopes, "naive"), 1)
            rows.append(
                lower(f"lightning forward, T = {T}", chunked_ms[T], "ms", peer="recurrence", peer_value=naive_ms)
            )
            lines["recurrence"].append((T, naive_ms))
        if T <= 16384:
            both, softmax_both = _trained(q, k, v, slopes, "chunked"), _trained_softmax(q, k, v)
            rows.append(lower(f"lightning forward and backward, T = {T}", cpu_ms(both, n), "ms", peer="SDPA",
                              peer_value=cpu_ms(softmax_both, 1)))  # fmt: skip
    longest, before = lengths[-1], lengths[-2]
    exponent = math.log(chunked_ms[longest] / chunked_ms[before]) / math.log(longest / before)
    rows.append(lower(f"lightning: time grows as T to the power of, {before} to {longest}", exponent, "", at_most=1.15))
    if not quick:
        log_log(PLOT, "Forward pass, 2 heads of 64, float32, CPU", "tokens", "milliseconds", lines)
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
        ours_ms = gpu_ms(ours, n)
        rows.append(lower(f"lightning forward, T = {T}", ours_ms, "ms", peer="fla simple_gla",
                          peer_value=gpu_ms(theirs, n), bound=bound, ratio_at_least=1.0))  # fmt: skip
        rows.append(lower(f"lightning forward, T = {T}", ours_ms, "ms", peer="SDPA",
                          peer_value=gpu_ms(_softmax(q, k, v), n)))  # fmt: skip
        both, their_both = _trained(q, k, v, slopes, "triton"), _gradients(theirs, q, k, v)
        ours_ms = gpu_ms(both, n)
        bound = f"{3 * moved / 1e9:.1f} GB, {3 * matrix / 1e12:.2f} TFLOP: {3 * floor_ms:.2f} ms"
        rows.append(lower(f"lightning forward and backward, T = {T}", ours_ms, "ms", peer="fla simple_gla",
                          peer_value=gpu_ms(their_both, n), bound=bound, ratio_at_least=1.0))  # fmt: skip
        rows.append(lower(f"lightning forward and backward, T = {T}: peak memory", peak_bytes(both, "cuda") / _MIB,
                          "MiB", peer="fla simple_gla", peer_value=peak_bytes(their_both, "cuda") / _MIB))  # fmt: skip
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


def _once_ms(action: Action) -> float:
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)


def _check_same(ours: Tensor, theirs: Tensor, where: str) -> None:
    error = ((ours.float() - theirs.float()).square().mean() / theirs.float().square().mean()).sqrt().item()
    if not error < 0.01:
        raise SystemExit(f"lightning at {where} differs from fla's by {error:.3g} of its RMS: no time is worth a look")
