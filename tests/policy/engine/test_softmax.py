"""Attention over scattered, shared and single runs, against one softmax over the sequence."""

import random

import pytest
import torch

from policy.config import LayerConfig, PolicyConfig, RopeConfig
from policy.engine import SamplingParams
from policy.engine.cache import Cache
from policy.engine.context import PagedContext
from policy.engine.native import Native
from policy.engine.pages import PageTable
from policy.engine.request import Request
from policy.engine.scheduler import Chunk
from policy.model.rope import rotation

H, K, D, PAGE = 6, 2, 10, 3
SHAPE = PolicyConfig(
    vocab_size=2, embed_dim=4, n_heads=H, n_kv_heads=K, head_dim=D, ffn_dim=4, max_context=200, norm_eps=1e-5,
    layers=(LayerConfig(mixer="softmax"),), rope=RopeConfig(theta=100.0, rotary_dim=6),
)  # fmt: skip


def naive(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float) -> torch.Tensor:
    """q [R, H, D] is the end of k, v [L, K, D]."""
    k, v = k.repeat_interleave(H // K, 1), v.repeat_interleave(H // K, 1)
    scores = torch.einsum("rhd,lhd->hrl", q, k) * scale
    R, L = len(q), len(k)
    future = torch.arange(L) > torch.arange(L - R, L)[:, None]
    return torch.einsum("hrl,lhd->rhd", scores.masked_fill(future, -torch.inf).softmax(-1), v)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("kernels", "dtype"),
    [
        ("torch", torch.float64),
        ("torch", torch.float32),
        ("torch", torch.bfloat16),
        ("native", torch.float32),
        ("native", torch.bfloat16),
    ],
)
def test_any_layout_of_pages_gives_plain_attention(seed: int, kernels: str, dtype: torch.dtype) -> None:
    rng = random.Random(seed)
    torch.manual_seed(seed)
    cache = Cache(
        SHAPE, 60, PAGE, 0, dtype=dtype, device=torch.device("cpu"), record_experts=False, record_blocks=False
    )
    k_cache, v_cache = (kept[0].copy_(torch.randn(kept[0].shape, dtype=torch.float64)) for kept in (cache.k, cache.v))
    shared = [4, 5, 6, 20, 21]
    free = [page for page in range(60) if page not in shared]
    if seed % 2:
        rng.shuffle(free)
    chunks = []
    for i, n in enumerate([1, 1, 1, 1, 5, 2, 7]):
        start = rng.choice([0, 4, len(shared) * PAGE, len(shared) * PAGE + 4])
        table = PageTable(PAGE)
        own = -(-(start + n) // PAGE)
        table.extend((shared + free)[:own] if i % 3 and start > 4 else [free.pop(0) for _ in range(own)])
        if i % 3 and start > 4:
            del free[: own - len(shared)]
        ids = [0] * (start + n)
        chunks.append(Chunk(Request(i, ids, len(ids), SamplingParams(), 0, table), start, n))
    T = sum(chunk.n for chunk in chunks)
    q = torch.randn(T, H, D, dtype=torch.float64).to(dtype)
    slots = [
        torch.tensor([s for first, n in c.request.table.slots(0, c.start + c.n) for s in range(first, first + n)])
        for c in chunks
    ]
    new = torch.cat([slots[i][c.start :] for i, c in enumerate(chunks)])
    k_new, v_new = (torch.randn(T, K, D, dtype=torch.float64).to(dtype) for _ in range(2))
    context = PagedContext(chunks, cache, Native(dtype) if kernels == "native" else None)
    turn = rotation(context.positions_T, SHAPE.rope, dtype)
    found = context.softmax(0, q, k_new, v_new, turn, 0.4)
    torch.testing.assert_close(k_cache[new], turn(k_new))
    assert torch.equal(v_cache[new], v_new)
    q = turn(q)
    row = 0
    for i, chunk in enumerate(chunks):
        rows = slice(row, row + chunk.n)
        wanted = naive(q[rows].double(), k_cache[slots[i]].double(), v_cache[slots[i]].double(), 0.4)
        tolerance = {torch.float64: 1e-6, torch.float32: 1e-5, torch.bfloat16: 3e-2}[dtype]
        torch.testing.assert_close(found[rows].double(), wanted, atol=tolerance, rtol=0)
        row += chunk.n
    assert row == T
