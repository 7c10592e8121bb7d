"""sparse_attention and msa_attention in torch: values, gradients by name, invariances."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from kernels.msa import msa_attention, select_blocks, sparse_attention
from tests.kernels.assertions import assert_close
from tests.kernels.msa.cases import cu_seqlens, gradients, make

paths = pytest.mark.parametrize("path", ["naive", "chunked"])


def dense(x):
    """Causal attention of torch, queries last."""
    q, k, v = (t.transpose(1, 2) for t in x.main())
    mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril(k.shape[2] - q.shape[2])
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True).transpose(1, 2)


@paths
@pytest.mark.parametrize("prefix", [0, 11])
def test_all_blocks_are_dense_attention(path, prefix, device):
    x = make(B=2, prefix=prefix, device=device)
    out = msa_attention(*x.all(), block_size=4, top_k=13, path=path)
    assert out.path == path
    assert_close("o", dense(x), out.o, 1e-14)
    want = gradients(dense(x), x)
    for name, got in gradients(out.o, x).items():
        if name.startswith("index"):
            assert got is None
        else:
            assert_close(name, want[name], got, 1e-13)


@pytest.mark.parametrize(("block_size", "top_k", "prefix"), [(4, 3, 0), (5, 2, 7), (1, 9, 0), (16, 1, 3)])
@pytest.mark.parametrize(("H", "K", "D"), [(4, 2, 16), (3, 1, 5), (2, 2, 1)])
def test_chunked_is_naive(block_size, top_k, prefix, H, K, D, device):
    x = make(B=2, H=H, K=K, D=D, prefix=prefix, device=device)
    kinds = dict(block_size=block_size, top_k=top_k, index_loss_coeff=0.3)
    want, got = (msa_attention(*x.all(), path=path, **kinds) for path in ("naive", "chunked"))
    assert torch.equal(got.block_indices, want.block_indices)
    assert_close("o", want.o, got.o, 1e-13)
    assert_close("index loss", want.index_loss, got.index_loss, 1e-13)
    expected = gradients(want.o, x)
    for name, gradient in gradients(got.o, x).items():
        if not name.startswith("index"):
            assert_close(name, expected[name], gradient, 1e-12)


def test_few_queries_at_a_time_make_no_difference(monkeypatch):
    x = make(B=2)
    want = msa_attention(*x.all(), block_size=4, top_k=3, path="naive")
    monkeypatch.setattr("kernels.msa.chunked.SCORES", 24)
    got = msa_attention(*x.all(), block_size=4, top_k=3, path="chunked")
    assert_close("o", want.o, got.o, 1e-13)
    expected = gradients(want.o, x)
    for name, gradient in gradients(got.o, x).items():
        if not name.startswith("index"):
            assert_close(name, expected[name], gradient, 1e-12)


@paths
def test_order_and_padding_of_block_indices_do_not_matter(path):
    x = make()
    chosen, _ = select_blocks(*x.index(), block_size=4, top_k=4, path=path)
    o, lse = sparse_attention(*x.main(), chosen, block_size=4, path=path)
    mixed = F.pad(chosen, (1, 2), value=-1)[..., torch.randperm(7, generator=torch.Generator().manual_seed(1))]
    o_mixed, lse_mixed = sparse_attention(*x.main(), mixed, block_size=4, path=path)
    assert_close("o", o, o_mixed, 1e-14)
    assert_close("lse", lse, lse_mixed, 1e-14)


@paths
def test_chosen_blocks_in_the_future_add_nothing(path):
    x = make(Tq=16)
    chosen, _ = select_blocks(*x.index(), block_size=4, top_k=2, path=path)
    future = torch.where(chosen[..., -1:].amax(-1, keepdim=True) < 3, 3, -1).int().expand(1, 16, 2, 1)
    with_future = torch.cat([future, chosen], -1)
    assert (future[0, :4] == 3).all()
    for got, want in zip(
        sparse_attention(*x.main(), with_future, block_size=4, path=path),
        sparse_attention(*x.main(), chosen, block_size=4, path=path),
        strict=True,
    ):
        assert_close("o, lse", want, got, 1e-14)


@paths
def test_a_query_that_sees_nothing(path):
    x = make(Tq=9)
    nothing = torch.full((1, 9, 2, 3), -1, dtype=torch.int32)
    nothing[:, :8, :, 0] = 2  # which begins at the last token
    o, lse = sparse_attention(*x.main(), nothing, block_size=4, path=path)
    assert (o == 0).all()
    assert (lse == -torch.inf).all()
    if path == "chunked":
        assert all((g == 0).all() for g in torch.autograd.grad(o.sum(), x.main()))


@paths
@pytest.mark.parametrize("at", [1, 8, 21, 36])
def test_the_future_never_matters(path, at):
    x, other = make(), make(seed=1)
    changed = [torch.cat([a[:, :at], b[:, at:]], 1) for a, b in zip(x.all(), other.all(), strict=True)]
    kinds = dict(block_size=4, top_k=3, path=path)
    want, got = msa_attention(*x.all(), **kinds), msa_attention(*changed, **kinds)
    assert torch.equal(want.block_indices[:, :at], got.block_indices[:, :at])
    assert_close("o", want.o[:, :at], got.o[:, :at], 1e-13)
    assert not torch.allclose(want.o[:, at:], got.o[:, at:])


@paths
def test_packed_sequences_attend_as_alone(path, device):
    queries, keys = (5, 0, 17, 1, 14), (9, 3, 17, 33, 15)
    x = make(Tq=37, prefix=40, device=device)
    cu = dict(cu_seqlens_q=cu_seqlens(*queries, device=device), cu_seqlens_k=cu_seqlens(*keys, device=device))
    kinds = dict(block_size=4, top_k=3, index_loss_coeff=1.0)
    got = msa_attention(*x.all(), path=path, **kinds, **cu)
    found, loss_found = gradients(got.o, x), torch.autograd.grad(got.index_loss, x.index())
    q_at = k_at = loss = 0
    for n_queries, n_keys in zip(queries, keys, strict=True):
        part, seen = slice(q_at, q_at + n_queries), slice(k_at, k_at + n_keys)
        q_at, k_at = part.stop, seen.stop
        alone = x.cut(part, seen)
        want = msa_attention(*alone.all(), path="naive", **kinds)
        loss += want.index_loss * n_queries / 37
        assert torch.equal(got.block_indices[:, part], want.block_indices)
        assert_close("o", want.o, got.o[:, part], 1e-12)
        if not n_queries:
            continue
        weights = torch.linspace(-1, 1, got.o.numel(), dtype=torch.float64, device=device).view(got.o.shape)
        expected = torch.autograd.grad((want.o * weights[:, part]).sum(), alone.main())
        for name, one, at in zip("qkv", expected, (part, seen, seen), strict=True):
            assert_close(name, one, found[name][:, at], 1e-12)
        for name, one, each, at in zip(
            ("index_q", "index_k"), torch.autograd.grad(want.index_loss, alone.index()), loss_found, (part, seen),
            strict=True,
        ):  # fmt: skip
            assert_close(name, one * n_queries / 37, each[:, at], 1e-12)
    assert_close("index loss", loss, got.index_loss, 1e-12)


@paths
@pytest.mark.parametrize("split", [1, 8, 12, 30])
def test_a_prompt_in_two_chunks_is_the_whole(path, split):
    x = make()
    whole = msa_attention(*x.all(), block_size=4, top_k=3, path=path)
    first = x.cut(slice(0, split), slice(0, split))
    second = x.cut(slice(split, None), slice(0, None))
    parts = [msa_attention(*part.all(), block_size=4, top_k=3, path=path) for part in (first, second)]
    assert torch.equal(torch.cat([part.block_indices for part in parts], 1), whole.block_indices)
    assert_close("o", whole.o, torch.cat([part.o for part in parts], 1), 1e-13)


@paths
@pytest.mark.parametrize("Tq", [0, 1, 11, 12, 13])
def test_odd_lengths(path, Tq):
    x = make(Tq=Tq)
    out = msa_attention(*x.all(), block_size=4, top_k=3, index_loss_coeff=1.0, path=path)
    assert out.o.shape == x.q.shape
    if Tq <= 12:
        assert_close("o", dense(x), out.o, 1e-13)
    else:
        assert not torch.allclose(out.o[0, 12], dense(x)[0, 12])
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(out.index_loss, x.index()))


def test_gradcheck_with_fixed_blocks():
    x = make(Tq=5, prefix=3, H=2, K=1, D=2, Di=2)
    chosen, _ = select_blocks(*x.index(), block_size=2, top_k=2)

    def o(q, k, v):
        return sparse_attention(q, k, v, chosen, block_size=2, path="chunked")[0]

    assert torch.autograd.gradcheck(o, x.main())


def test_the_path_is_dense_where_that_is_exact():
    x = make(Tq=12)
    out = msa_attention(*x.all(), block_size=4, top_k=3)
    assert out.path == "dense"
    assert out.index_loss is None
    want = msa_attention(*x.all(), block_size=4, top_k=3, path="naive")
    assert_close("o", want.o, out.o, 1e-13)
    assert torch.equal(out.block_indices, want.block_indices)
    expected = gradients(want.o, x)
    for name, one in gradients(out.o, x).items():
        if not name.startswith("index"):
            assert_close(name, expected[name], one, 1e-12)


def test_the_path_is_dense_with_packed_sequences_and_a_prefix():
    x = make(Tq=16, prefix=5)
    cu = dict(cu_seqlens_q=cu_seqlens(4, 0, 12), cu_seqlens_k=cu_seqlens(9, 0, 12))
    want, got = (msa_attention(*x.all(), block_size=4, top_k=3, path=path, **cu) for path in ("naive", None))
    assert got.path == "dense"
    assert_close("o", want.o, got.o, 1e-13)
    assert torch.equal(got.block_indices, want.block_indices)


def test_the_path_is_not_dense_for_one_token_more_nor_for_a_loss_nor_in_a_replay():
    x = make(Tq=13)
    assert msa_attention(*x.all(), block_size=4, top_k=3).path == "chunked"
    x = make(Tq=12)
    out = msa_attention(*x.all(), block_size=4, top_k=3, index_loss_coeff=1.0)
    assert out.path == "chunked"
    assert msa_attention(*x.all(), block_size=4, top_k=3, block_indices=out.block_indices).path == "chunked"


@paths
def test_recorded_choices_are_replayed(path):
    x, other = make(), make(seed=5)
    recorded, _ = select_blocks(*other.index(), block_size=4, top_k=3, path=path)
    out = msa_attention(*x.all(), block_size=4, top_k=3, block_indices=recorded, index_loss_coeff=1.0, path=path)
    assert torch.equal(out.block_indices, recorded)
    o, _ = sparse_attention(*x.main(), recorded, block_size=4, path="naive")
    assert_close("o", o, out.o, 1e-13)
    want = msa_attention(*x.all(), block_size=4, top_k=3, block_indices=recorded, index_loss_coeff=1.0, path="naive")
    assert_close("index loss", want.index_loss, out.index_loss, 1e-12)
    for one, two in zip(*(torch.autograd.grad(y.index_loss, x.index()) for y in (want, out)), strict=True):
        assert_close("index gradients", one, two, 1e-12)


def test_two_runs_are_bitwise_equal(device):
    x = make(Tq=70, dtype=torch.float32, device=device)
    runs = []
    for _ in range(2):
        out = msa_attention(*x.all(), block_size=4, top_k=3, index_loss_coeff=1.0, path="chunked")
        runs.append([out.o, out.index_loss, *torch.autograd.grad(out.o.sum() + out.index_loss, x.all())])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


@pytest.mark.parametrize(("dtype", "ratio"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_lower_precision(dtype, ratio):
    """The same numbers in float64 are the reference: only the arithmetic differs."""
    x = make(Tq=70, dtype=dtype)
    exact = type(x)(*(t.detach().double().requires_grad_() for t in x.all()))
    chosen, _ = select_blocks(*x.index(), block_size=4, top_k=3)
    got, want = (sparse_attention(*y.main(), chosen, block_size=4)[0] for y in (x, exact))
    assert got.dtype == dtype
    assert_close("o", want, got, ratio)
    expected = gradients(want, exact)
    for name, gradient in gradients(got, x).items():
        if not name.startswith("index"):
            assert gradient.dtype == dtype
            assert_close(name, expected[name], gradient, ratio)


def test_any_strides(device):
    x = make(B=2, Tq=30, device=device)
    strange = [t.transpose(1, 2).contiguous().transpose(1, 2) if t.dim() == 4 else t for t in x.all()]
    kinds = dict(block_size=4, top_k=3, path="chunked")
    assert_close("o", msa_attention(*x.all(), **kinds).o, msa_attention(*strange, **kinds).o, 1e-14)


def test_memory_stays_bounded_in_the_number_of_scores(monkeypatch):
    """No tensor of the size Tq * Tk is ever made."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        numel = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, tuple | list) else [out]:
                if isinstance(tensor, torch.Tensor):
                    self.numel = max(self.numel, tensor.numel())
            return out

    monkeypatch.setattr("kernels.msa.chunked.SCORES", 2**14)
    T = 600
    x = make(Tq=T, H=2, K=1, D=4, Di=4, dtype=torch.float32)
    with Largest() as largest:
        out = msa_attention(*x.all(), block_size=16, top_k=2, index_loss_coeff=1.0)
        (out.o.sum() + out.index_loss).backward()
    assert out.path == "chunked"
    assert 2**13 <= largest.numel <= 2**14
    assert T * T > 20 * 2**14
