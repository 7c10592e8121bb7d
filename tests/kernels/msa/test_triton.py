"""Every Triton kernel against the specification: in the interpreter on the CPU, and with `-m gpu` compiled.

The interpreter takes tens of milliseconds a program; what it runs is small and made of odd sizes.
"""

from __future__ import annotations

import pytest
import torch

from kernels.msa import msa_attention, select_blocks, sparse_attention, triton_op
from kernels.msa.naive import select as naive_select
from kernels.msa.packing import Packing
from tests.kernels.assertions import assert_close
from tests.kernels.msa.cases import NAMES, cu_seqlens, make
from tests.kernels.msa.test_decode import check_decode


@pytest.fixture(autouse=True)
def _few_programs(monkeypatch, triton_device):
    """Nothing is split among programs unless a test says so: a GPU's number of programs takes the interpreter long."""
    monkeypatch.setattr(triton_op, "ENOUGH_PROGRAMS", 1)


@pytest.fixture
def by_block(monkeypatch):
    """The forward pass goes block by block, a few queries at a time, and visits are cut into many items."""
    monkeypatch.setattr(triton_op, "KV_OUTER_FROM", 1)
    monkeypatch.setattr(triton_op, "PARTS_BYTES", 17 * 3 * 3 * 16 * 4)
    monkeypatch.setattr(triton_op, "VISITS_AN_ITEM", 5)
    monkeypatch.setattr(triton_op, "VISITS_A_GRADIENT", 7)


def single(x):
    return x.detach().double().requires_grad_()


def check(x, ratio, **kinds):
    """Outputs and all gradients of one run against those of the specification in float64."""
    exact = type(x)(*(single(t) for t in x.all()))
    got = msa_attention(*x.all(), path="triton", index_loss_coeff=0.5, **kinds)
    assert got.path == "triton"
    chosen = got.block_indices
    want = msa_attention(*exact.all(), path="naive", index_loss_coeff=0.5, **kinds | {"block_indices": chosen})
    assert_close("o", want.o, got.o, ratio)
    assert_close("index loss", want.index_loss, got.index_loss, ratio)
    weights = torch.linspace(-1, 1, want.o.numel(), dtype=torch.float64, device=x.q.device).view(want.o.shape)
    gradients = [
        torch.autograd.grad((y.o.double() * weights).sum() + 10 * y.index_loss.double(), t.all())
        for y, t in ((want, exact), (got, x))
    ]
    for name, one, other in zip(NAMES, *gradients, strict=True):
        assert_close(f"d {name}", one, other, ratio)
    return got


def same_choice(x, got, block_size, top_k, **cu):
    packing = Packing.of(x.q, x.k, cu.get("cu_seqlens_q"), cu.get("cu_seqlens_k"))
    want, _ = naive_select(x.index_q.flatten(0, 1), x.index_k.flatten(0, 1), packing, block_size, top_k, False)
    assert torch.equal(got.flatten(0, 1), want)


def test_query_by_query(device):
    x = make(Tq=23, H=3, K=1, D=16, prefix=26, dtype=torch.float32, device=device)
    got = check(x, 5e-6, block_size=16, top_k=2)
    same_choice(x, got.block_indices, 16, 2)


@pytest.mark.usefixtures("by_block")
def test_block_by_block(device):
    x = make(Tq=23, H=3, K=1, D=16, prefix=26, dtype=torch.float32, device=device)
    check(x, 5e-6, block_size=16, top_k=3)


@pytest.mark.usefixtures("by_block")
def test_packed_sequences(device):
    queries, keys = (3, 0, 18, 1), (20, 2, 18, 1)
    cu = dict(cu_seqlens_q=cu_seqlens(*queries, device=device), cu_seqlens_k=cu_seqlens(*keys, device=device))
    x = make(Tq=22, H=2, K=2, D=16, Di=32, prefix=19, dtype=torch.float32, device=device)
    got = check(x, 5e-6, block_size=16, top_k=1, **cu)
    same_choice(x, got.block_indices, 16, 1, **cu)


@pytest.mark.usefixtures("by_block")
def test_tiles_of_a_block(monkeypatch, device):
    """Where a block's keys do not fit at once."""
    monkeypatch.setattr(triton_op, "_tile", lambda x, block_size, kib=32: block_size // 2)
    x = make(Tq=14, H=2, K=1, D=16, prefix=25, dtype=torch.float32, device=device)
    check(x, 5e-6, block_size=32, top_k=1)


def test_tiles_of_a_block_query_by_query(monkeypatch, device):
    monkeypatch.setattr(triton_op, "_tile", lambda x, block_size, kib=32: block_size // 2)
    x = make(Tq=10, H=2, K=1, D=16, prefix=30, dtype=torch.float32, device=device)
    got = check(x, 5e-6, block_size=32, top_k=1)
    same_choice(x, got.block_indices, 32, 1)


def test_ties_and_the_log_sum_exp(monkeypatch, device):
    """Many blocks, so that the choice is merged from several tiles of scores; few scores in memory at a time."""
    monkeypatch.setattr(triton_op, "SCORE_BYTES", 4 * 2 * 2 * 11 * 3)
    x = make(Tq=5, prefix=171, K=2, dtype=torch.float32, device=device)
    index_q, index_k = (t.detach().round() for t in x.index())
    index_q[:, 3] = 0
    kinds = dict(block_size=16, top_k=5, with_lse=True)
    chosen, lse = select_blocks(index_q, index_k, **kinds, path="triton")
    want, want_lse = select_blocks(index_q.double(), index_k.double(), **kinds, path="naive")
    assert torch.equal(chosen, want)
    assert chosen[0, 3].tolist() == [[0, 1, 2, 3, 10]] * 2
    assert_close("lse", want_lse, lse, 1e-6)


def test_more_blocks_than_one_tile_of_scores(device):
    """1025 blocks of 16 keys and more: the greatest lie in different tiles."""
    if device.type == "cpu":
        score = torch.full((1, 1, 2100), -3.0)
        for place, value in ((3, 2.0), (1500, -1.0), (2099, 0.5), (700, -2.0)):
            score[..., place] = value
        chosen = torch.empty(1, 1, 4, dtype=torch.int32)
        position = torch.tensor([2098 * 16], dtype=torch.int32)
        from kernels.msa.triton_select import top_blocks

        top_blocks[(1,)](
            score, None, position, chosen, None, 1, 2100, 4, 1.0,
            HEADS=1, BLOCK=16, ROWS=1, WIDTH=1024, TOP=4, WITH_LSE=False,
        )  # fmt: skip
        assert chosen.flatten().tolist() == [3, 700, 1500, 2098]
        return
    x = make(Tq=1, prefix=16 * 5000, dtype=torch.float32, device=device)
    got, want = (select_blocks(*x.index(), block_size=16, top_k=16, path=path)[0] for path in ("triton", "naive"))
    assert torch.equal(got, want)


def test_keys_split_among_programs(monkeypatch, device):
    monkeypatch.setattr(triton_op, "ENOUGH_PROGRAMS", 4)
    x = make(Tq=2, H=2, K=1, prefix=60, dtype=torch.float32, device=device)
    got = check(x, 5e-6, block_size=16, top_k=3)
    same_choice(x, got.block_indices, 16, 3)


@pytest.mark.parametrize("programs", [1, 8])
def test_decoding(monkeypatch, programs, device):
    monkeypatch.setattr(triton_op, "ENOUGH_PROGRAMS", programs)
    check_decode([40, 0, 16, 17], 16, 2, "triton", device, torch.float32, 1e-5, H=6, K=2)


@pytest.mark.usefixtures("by_block")
def test_blocks_in_any_order_with_gaps_and_a_query_that_sees_nothing(device):
    x = make(Tq=20, prefix=20, H=2, K=1, dtype=torch.float32, device=device)
    chosen, _ = select_blocks(*x.index(), block_size=16, top_k=2, path="naive")
    mixed = torch.nn.functional.pad(chosen.flip(-1), (1, 1), value=-1)
    mixed[:, 7] = -1
    o, lse = sparse_attention(*x.main(), mixed, block_size=16, path="triton")
    want, want_lse = sparse_attention(*x.main(), mixed, block_size=16, path="naive")
    assert (o[:, 7] == 0).all()
    assert (lse[:, 7] == -torch.inf).all()
    assert_close("o", want, o, 1e-6)
    seen = want_lse > -torch.inf
    assert_close("lse", want_lse[seen], lse[seen], 1e-6)
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(o.sum(), x.main()))


@pytest.mark.parametrize("prefix", [0, 5])
def test_no_queries(prefix, device):
    x = make(Tq=0, prefix=prefix, dtype=torch.float32, device=device)
    out = msa_attention(*x.all(), block_size=16, top_k=2, index_loss_coeff=1.0, path="triton")
    assert out.o.shape == (1, 0, 4, 16)
    assert all((g == 0).all() for g in torch.autograd.grad(out.o.sum() + out.index_loss, x.all()))


@pytest.mark.usefixtures("by_block")
def test_two_runs_are_bitwise_equal(device):
    x = make(Tq=8, H=2, K=1, prefix=27, dtype=torch.float32, device=device)
    runs = []
    for _ in range(2):
        out = msa_attention(*x.all(), block_size=16, top_k=2, index_loss_coeff=1.0, path="triton")
        runs.append([out.o, out.index_loss, *torch.autograd.grad(out.o.sum() + out.index_loss, x.all())])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def test_float16(device):
    x = make(Tq=18, H=2, K=1, dtype=torch.float16, device=device)
    check(x, 5e-3, block_size=16, top_k=1)


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["cuda"], indirect=True)
@pytest.mark.parametrize(
    ("dtype", "ratio", "H", "K", "D", "Di", "block_size"),
    [
        (torch.bfloat16, 1.5e-2, 16, 1, 128, 128, 128),
        (torch.bfloat16, 1.5e-2, 6, 2, 64, 32, 64),
        (torch.bfloat16, 1.5e-2, 32, 2, 256, 256, 256),
        (torch.float16, 3e-3, 16, 1, 128, 64, 32),
        (torch.float16, 3e-3, 2, 2, 32, 256, 128),
        (torch.float32, 1e-5, 16, 1, 128, 128, 128),
        (torch.float32, 1e-5, 3, 1, 256, 256, 64),
    ],
)
@pytest.mark.parametrize("kv_outer_from", [1, 2**62])
def test_sizes_of_real_models(monkeypatch, device, kv_outer_from, dtype, ratio, H, K, D, Di, block_size):
    monkeypatch.setattr(triton_op, "ENOUGH_PROGRAMS", 528)
    monkeypatch.setattr(triton_op, "KV_OUTER_FROM", kv_outer_from)
    x = make(Tq=1500, H=H, K=K, D=D, Di=Di, prefix=77, dtype=dtype, device=device)
    check(x, ratio, block_size=block_size, top_k=4)
