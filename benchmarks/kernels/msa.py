"""MiniMax sparse attention as T grows, the choice of blocks included, against dense softmax attention (torch's SDPA).

One sequence. CPU: 4 heads of 64 in 1 group, 16 blocks of 64, float32, chunked torch; processor time of one thread.
GPU: 64 heads of 128 in 4 groups, 16 blocks of 128, bfloat16, Triton. XunhaoLai's and fla's kernels are given the same
blocks, so there the choice is excluded; MSA_PEERS names those to run (xunhaolai, fla; comma-separated), and one that is
named and missing ends the run.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.kernels.measure import Action, cpu_ms, gpu_ms, peak_bytes
from benchmarks.kernels.plot import log_log
from benchmarks.peers import need
from benchmarks.report import Row, lower
from kernels.msa import msa_attention, msa_decode, select_blocks, select_blocks_paged, sparse_attention
from kernels.paths import Path as KernelPath

PLOT = Path(__file__).parents[1] / "results" / "msa-cpu.svg"
HBM_BYTES_PER_S = 4.8e12
"""Of an H200, as its data sheet has it."""
BF16_FLOPS = 989e12
"""Likewise, dense."""
_MIB = 1 << 20


@dataclass(frozen=True)
class Shape:
    H: int
    K: int
    D: int
    block_size: int
    top_k: int
    dtype: torch.dtype
    device: str

    def inputs(self, T: int) -> list[Tensor]:
        """q, k, v, index_q, index_k with gradients wanted."""
        generator = torch.Generator(self.device).manual_seed(T)
        shapes = [(self.H, self.D), (self.K, self.D), (self.K, self.D), (self.K, self.D), (self.D,)]
        return [
            torch.randn(1, T, *shape, generator=generator, dtype=self.dtype, device=self.device).requires_grad_()
            for shape in shapes
        ]

    def flops(self, T: int) -> tuple[float, float]:
        """Of the choice and of attention, forward: multiply-adds count two; half of the index scores are visible."""
        return self.K * self.D * T * T, 4 * self.H * self.D * T * min(T / 2, self.top_k * self.block_size)


CPU = Shape(4, 1, 64, 64, 16, torch.float32, "cpu")
GPU = Shape(64, 4, 128, 128, 16, torch.bfloat16, "cuda")


def cpu_rows(quick: bool) -> list[Row]:
    n, rows = 1 if quick else 3, []
    lengths = [2048, 8192] if quick else [1024, 2048, 4096, 16384, 65536]
    lines: dict[str, list[tuple[float, float]]] = {"MSA, chunked torch": [], "SDPA, causal": [], "dense mask": []}
    ours_ms: dict[int, float] = {}
    for T in lengths:
        x = CPU.inputs(T)
        with torch.no_grad():
            path = msa_attention(*x, block_size=CPU.block_size, top_k=CPU.top_k).path
        ours, dense = _inference(x, CPU), _no_grad(lambda x=x: _sdpa(*x[:3]))  # type: ignore[misc]
        repeat = n if T <= 4096 else 1
        ours_ms[T] = cpu_ms(ours, repeat)
        dense_ms = cpu_ms(dense, repeat)
        name = f"MSA forward, {path}, T = {T}"
        rows.append(lower(name, ours_ms[T], "ms", peer="SDPA", peer_value=dense_ms))
        rows.append(lower(f"{name}: peak memory above the inputs", peak_bytes(ours, "cpu") / _MIB, "MiB", peer="SDPA",
                          peer_value=peak_bytes(dense, "cpu") / _MIB if T <= 16384 else None,
                          bound=f"o: {T * CPU.H * CPU.D * 4 / _MIB:.1f} MiB"))  # fmt: skip
        lines["MSA, chunked torch"].append((T, ours_ms[T]))
        lines["SDPA, causal"].append((T, dense_ms))
        if T <= 4096:
            naive = _inference(x, CPU, "naive")
            naive_ms = cpu_ms(naive, 1)
            rows.append(lower(name, ours_ms[T], "ms", peer="dense mask", peer_value=naive_ms))
            rows.append(lower(f"{name}: peak memory above the inputs", peak_bytes(ours, "cpu") / _MIB, "MiB",
                              peer="dense mask", peer_value=peak_bytes(naive, "cpu") / _MIB))  # fmt: skip
            lines["dense mask"].append((T, naive_ms))
        if 2048 <= T <= 16384:
            rows.append(lower(f"MSA forward and backward with index loss, {path}, T = {T}",
                              cpu_ms(_training(x, CPU), repeat), "ms", peer="SDPA",
                              peer_value=cpu_ms(_dense_training(x), repeat)))  # fmt: skip
    longest, before = lengths[-1], lengths[-2]
    exponent = math.log(ours_ms[longest] / ours_ms[before]) / math.log(longest / before)
    choice, attention = CPU.flops(longest)
    rows.append(lower(f"MSA: time grows as T to the power of, {before} to {longest}", exponent, "",
                      bound=f"attention 1, choice 2; at T = {longest} the choice is "
                            f"{choice / (choice + attention):.0%} of the FLOPs"))  # fmt: skip
    if not quick:
        log_log(PLOT, "Forward pass, 4 heads of 64, 16 blocks of 64, float32, CPU", "tokens", "milliseconds", lines)
    return rows


def gpu_rows(quick: bool) -> list[Row]:
    peers = _peers()
    lengths = (8192, 32768) if quick else (8192, 16384, 32768, 65536, 131072, 524288, 1048576)
    rows = []
    for T in lengths:
        rows += _prefill_rows(T, peers, quick)
        rows += _decode_rows(T, quick)
    return rows


def _prefill_rows(T: int, peers: dict[str, Callable[..., Tensor]], quick: bool) -> list[Row]:
    x, rows = GPU.inputs(T), []
    n, warm = (5 if quick else 20, 5) if T <= 131072 else (1, 1)
    ours, dense = _inference(x, GPU, "triton"), _no_grad(lambda: _sdpa(*x[:3]))
    moved = sum(t.numel() for t in x) * 2 + x[0].numel() * 2
    rows.append(lower(f"MSA forward, triton, T = {T}", gpu_ms(ours, n, warm), "ms", peer="SDPA",
                      peer_value=gpu_ms(dense, n, warm), bound=_floor(moved, sum(GPU.flops(T))),
                      ratio_at_least=14.2 if T == 1048576 else None))  # fmt: skip
    held, least = peak_bytes(ours, "cuda") / _MIB, x[0].numel() * 2 / _MIB
    name = f"MSA forward, triton, T = {T}: peak memory above the inputs"
    rows.append(lower(name, held, "MiB", bound=f"o: {least:.0f} MiB"))
    if T > 131072:
        return rows
    choice, attention = GPU.flops(T)
    # backward: twice the products and the scores anew; with the loss, the main and index scores twice more
    bound = _floor(3 * moved, choice + 3.5 * attention + attention)
    rows.append(lower(f"MSA forward and backward with index loss, triton, T = {T}", gpu_ms(_training(x, GPU), n), "ms",
                      peer="SDPA", peer_value=gpu_ms(_dense_training(x), n), bound=bound))  # fmt: skip
    with torch.no_grad():
        chosen, _ = select_blocks(*x[3:], block_size=GPU.block_size, top_k=GPU.top_k)
    for name, attend in peers.items():

        def sparse() -> Tensor:
            return sparse_attention(x[0], x[1], x[2], chosen, block_size=GPU.block_size, path="triton")[0]

        def theirs(attend: Callable[..., Tensor] = attend) -> Tensor:
            return attend(*x[:3], chosen)

        _check_same(sparse(), theirs(), f"{name}, T = {T}")
        for what, one, other in (
            ("forward", _no_grad(sparse), _no_grad(theirs)),
            ("forward and backward", _gradients(sparse, x[:3]), _gradients(theirs, x[:3])),
        ):
            rows.append(lower(f"MSA attention alone, {what}, triton, T = {T}", gpu_ms(one, n), "ms", peer=name,
                              peer_value=gpu_ms(other, n), bound=_floor(moved, attention)))  # fmt: skip
    return rows


def _decode_rows(T: int, quick: bool) -> list[Row]:
    """One token at the end of each of N sequences of T tokens."""
    N, page, n_pages = 8, GPU.block_size, T // GPU.block_size
    generator = torch.Generator("cuda").manual_seed(T)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=GPU.dtype, device="cuda")

    q, index_q = normal(N, GPU.H, GPU.D), normal(N, GPU.K, GPU.D)
    k, v = (normal(N * n_pages, page, GPU.K, GPU.D) for _ in range(2))
    index_k = normal(N * n_pages, page, GPU.D)
    tables = torch.arange(N * n_pages, dtype=torch.int32, device="cuda").view(N, n_pages)
    seq_lens = torch.full((N,), T, dtype=torch.int32, device="cuda")

    def ours() -> Tensor:
        chosen = select_blocks_paged(index_q, index_k, tables, seq_lens, top_k=GPU.top_k, path="triton")
        return msa_decode(q, k, v, tables, seq_lens, chosen, path="triton")

    q_NKGD = q.view(N, GPU.K, -1, GPU.D)
    k_NKTD, v_NKTD = (x.view(N, T, GPU.K, GPU.D).transpose(1, 2) for x in (k, v))

    def dense() -> Tensor:
        # the heads of a group are so many queries, all at the end
        return F.scaled_dot_product_attention(q_NKGD, k_NKTD, v_NKTD)

    moved = N * (T * GPU.D + 2 * GPU.K * GPU.D * min(T, GPU.top_k * page)) * 2
    dense_ms = 1000 * N * 2 * T * GPU.K * GPU.D * 2 / HBM_BYTES_PER_S
    n = 5 if quick else 20
    return [
        lower(f"MSA decode, triton, {N} sequences of {T}", gpu_ms(_no_grad(ours), n), "ms", peer="SDPA",
              peer_value=gpu_ms(_no_grad(dense), n), bound=f"{_floor(moved, 0)}; dense {dense_ms:.3f} ms",
              ratio_at_least=7.6 if T == 1048576 else None)
    ]  # fmt: skip


def _peers() -> dict[str, Callable[..., Tensor]]:
    """Those that MSA_PEERS asks for, as functions of q, k, v and block_indices."""
    known = {"xunhaolai": _xunhaolai, "fla": _fla}
    asked = [name for name in os.environ.get("MSA_PEERS", "").split(",") if name]
    if strangers := set(asked) - set(known):
        raise SystemExit(f"MSA_PEERS names {', '.join(sorted(strangers))}: choose among {', '.join(known)}")
    return {name: known[name]() for name in asked}


def _xunhaolai() -> Callable[..., Tensor]:
    try:
        attend = import_module("native_sparse_attention.ops").topk_sparse_attention
    except ImportError as error:
        how = f"pip install git+https://github.com/XunhaoLai/native-sparse-attention-triton ({error})"
        raise need("native-sparse-attention-triton", how) from None

    def run(q: Tensor, k: Tensor, v: Tensor, chosen: Tensor) -> Tensor:
        bounds = torch.tensor([0, q.shape[1]], dtype=torch.int32, device=q.device)
        o: Tensor = attend(q[0], k[0], v[0], chosen[0].transpose(0, 1).contiguous(), GPU.block_size, bounds)
        return o[None]

    return run


def _fla() -> Callable[..., Tensor]:
    try:
        attend = import_module("fla.ops.nsa").parallel_nsa
    except ImportError as error:
        raise need("fla", f"pip install flash-linear-attention ({error})") from None

    def run(q: Tensor, k: Tensor, v: Tensor, chosen: Tensor) -> Tensor:
        o: Tensor = attend(
            q, k, v, block_indices=chosen.long(), block_counts=(chosen >= 0).sum(-1), block_size=GPU.block_size
        )
        return o

    return run


def _sdpa(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (t.transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)


def _inference(x: list[Tensor], shape: Shape, path: KernelPath | None = None) -> Action:
    def run() -> Tensor:
        return msa_attention(*x, block_size=shape.block_size, top_k=shape.top_k, path=path).o

    return _no_grad(run)


def _training(x: list[Tensor], shape: Shape) -> Action:
    def run() -> object:
        out = msa_attention(*x, block_size=shape.block_size, top_k=shape.top_k, index_loss_coeff=1.0)
        assert out.index_loss is not None
        return torch.autograd.grad([out.o, out.index_loss], x, [out.o.detach(), torch.ones_like(out.index_loss)])

    return run


def _dense_training(x: list[Tensor]) -> Action:
    return _gradients(lambda: _sdpa(*x[:3]), x[:3])


def _gradients(output: Callable[[], Tensor], inputs: list[Tensor]) -> Action:
    def run() -> object:
        o = output()
        return torch.autograd.grad(o, inputs, o.detach())

    return run


def _no_grad(action: Callable[[], Tensor]) -> Action:
    def run() -> object:
        with torch.no_grad():
            return action()

    return run


def _check_same(ours: Tensor, theirs: Tensor, where: str) -> None:
    error = (ours.float() - theirs.float()).square().mean().sqrt() / ours.float().square().mean().sqrt()
    if not error < 0.02:
        raise SystemExit(f"{where}: our outputs and the peer's differ by {error:.1%}, so their times say nothing")


def _floor(moved: float, flops: float) -> str:
    floor_ms = 1000 * max(moved / HBM_BYTES_PER_S, flops / BF16_FLOPS)
    return f"{moved / 1e9:.2f} GB, {flops / 1e12:.2f} TFLOP: {floor_ms:.3f} ms"
