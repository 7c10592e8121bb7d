"""What MSA refuses, in one line each."""

from __future__ import annotations

import pytest
import torch

from kernels.msa import (
    index_loss,
    msa_attention,
    msa_decode,
    select_blocks,
    select_blocks_paged,
    sparse_attention,
)
from kernels.paths import KernelInputError
from tests.kernels.msa.cases import cu_seqlens, make


def refused(message, call, *args, **kinds):
    with pytest.raises(KernelInputError, match=message) as caught:
        call(*args, **kinds)
    assert "\n" not in str(caught.value)


def attend(message, x=None, **changed):
    x = x or make(Tq=9)
    kinds = dict(block_size=4, top_k=2) | {name: changed.pop(name) for name in list(changed) if not hasattr(x, name)}
    tensors = {name: changed.get(name, getattr(x, name)) for name in ("q", "k", "v", "index_q", "index_k")}
    refused(message, msa_attention, **tensors, **kinds)


def zeros(*shape, dtype=torch.float64):
    return torch.zeros(*shape, dtype=dtype)


def indices(*shape, fill=0):
    return torch.full(shape, fill, dtype=torch.int32)


def test_shapes():
    attend(r"q and k must be \[B,Tq,H,D\] and \[B,Tk,K,D\], got \[1, 9, 4\] and", q=zeros(1, 9, 4))
    attend(r"q and k must be .* got \[2, 9, 4, 16\] and \[1, 9, 2, 16\]", q=zeros(2, 9, 4, 16))
    attend(r"q and k must be .* got \[1, 9, 4, 8\]", q=zeros(1, 9, 4, 8))
    attend("3 query heads do not divide among 2 kv heads", q=zeros(1, 9, 3, 16))
    attend("4 query heads do not divide among 0 kv heads", k=zeros(1, 9, 0, 16))
    attend(r"v must have k's shape \[1, 9, 2, 16\], got \[1, 9, 2, 8\]", v=zeros(1, 9, 2, 8))
    attend(r"index_q and index_k must be \[B,Tq,K,Di\] and \[B,Tk,Di\]", index_k=zeros(1, 9, 2, 16))
    attend(r"index_q and index_k must be .*got \[1, 9, 2, 8\] and \[1, 9, 16\]", index_q=zeros(1, 9, 2, 8))
    attend(r"beside q \[1, 9, 4, 16\]", index_q=zeros(1, 9, 4, 16))
    attend(r"beside q \[1, 9, 4, 16\]", index_k=zeros(1, 8, 16))
    attend("sequence 0 has 10 queries and 9 keys", q=zeros(1, 10, 4, 16), index_q=zeros(1, 10, 2, 16))


def test_no_sequences():
    attend("q has no sequences: B must be at least 1", make(B=0))


def test_dtypes():
    attend("q, k must share one floating dtype, got q torch.float32, k torch.float64", q=zeros(1, 9, 4, 16).float())
    attend("q, k, v must share one floating dtype", v=zeros(1, 9, 2, 16).half())
    attend("index_q, index_k must share one floating dtype", index_q=zeros(1, 9, 2, 16).int())


def test_devices():
    attend("tensors lie on cpu and on meta: move them to one", index_k=torch.zeros(1, 9, 16, device="meta").double())


def test_blocks():
    attend("block_size and top_k must be at least 1, got 0 and 2", block_size=0)
    attend("block_size and top_k must be at least 1, got 4 and -1", top_k=-1)
    attend("there is no path 'fast'", path="fast")


@pytest.mark.parametrize(
    ("queries", "keys", "message"),
    [
        ((9,), None, "cu_seqlens_q and cu_seqlens_k go together"),
        ((4, 5), (9,), "cu_seqlens_q tells of 2 sequences, cu_seqlens_k of 1"),
        ((4, 4), (4, 5), r"cu_seqlens_q must rise from 0 to T = 9, got \[0, 4, 8\]"),
        ((10, -1), (4, 5), r"cu_seqlens_q must rise from 0 to T = 9"),
        ((4, 5), (6, 2), r"cu_seqlens_k must rise from 0 to T = 9, got \[0, 6, 8\]"),
        ((4, 5), (3, 6), "sequence 0 has 4 queries and 3 keys: queries are its keys' last positions"),
    ],
)
def test_packing(queries, keys, message):
    attend(message, cu_seqlens_q=cu_seqlens(*queries), cu_seqlens_k=cu_seqlens(*keys) if keys else None)


def test_packing_shapes():
    both = lambda x: dict(cu_seqlens_q=x, cu_seqlens_k=x)  # noqa: E731
    attend(r"cu_seqlens_q must be int32 or int64 \[N\+1\] with N >= 1, got torch.int32 \[1\]", **both(cu_seqlens()))
    attend("cu_seqlens_q must be int32 or int64", **both(torch.tensor([0.0, 9.0])))
    attend("cu_seqlens_q packs sequences along T and wants B = 1, got B = 2", make(B=2, Tq=9), **both(cu_seqlens(9)))


def test_block_indices():
    each_once = "block_indices must be -1 or a block of the sequence, each block once"
    attend(each_once, block_indices=indices(1, 9, 2, 1, fill=3))
    attend(each_once, block_indices=indices(1, 9, 2, 1, fill=-2))
    attend(each_once, block_indices=indices(1, 9, 2, 2))
    attend(r"block_indices must be int32 \[1, 9, 2, 'top_k'\]", block_indices=indices(1, 9, 4, 2))
    attend(r"got torch.int64 \[1, 9, 2, 1\]", block_indices=indices(1, 9, 2, 1).long())
    x = make(Tq=9)
    packed = dict(cu_seqlens_q=cu_seqlens(4, 5), cu_seqlens_k=cu_seqlens(4, 5))
    refused(each_once, sparse_attention, *x.main(), indices(1, 9, 2, 1, fill=1), block_size=4, **packed)


def test_the_loss_wants_its_sums():
    x = make(Tq=9)
    chosen, index_lse = select_blocks(*x.index(), block_size=4, top_k=2, with_lse=True)
    args = (x.q, x.k, *x.index(), chosen)
    refused(r"lse must be \[1, 9, 4\], got \[1, 9, 2\]", index_loss, *args, index_lse, index_lse, block_size=4)
    lse = zeros(1, 9, 4)
    refused(r"index_lse must be \[1, 9, 2\], got \[1, 9, 4\]", index_loss, *args, lse, lse, block_size=4)


def decode(message, **changed):
    right = dict(
        q=zeros(2, 4, 16), k_pages=zeros(5, 4, 2, 16), v_pages=zeros(5, 4, 2, 16),
        block_tables=indices(2, 3), seq_lens=indices(2, fill=9), block_indices=indices(2, 2, 1),
    )  # fmt: skip
    refused(message, msa_decode, **right | changed)


def test_decoding():
    decode(r"q, k_pages and v_pages must be \[N,H,D\], \[P,page,K,D\] and the same", q=zeros(2, 1, 4, 16))
    decode(r"q, k_pages and v_pages must be", v_pages=zeros(5, 4, 2, 8))
    decode("5 query heads do not divide among 2 kv heads", q=zeros(2, 5, 16))
    decode("q, k_pages, v_pages must share one floating dtype", q=zeros(2, 4, 16).float())
    decode(r"block_tables must be int32 \[2,max_pages\], got torch.int32 \[3, 3\]", block_tables=indices(3, 3))
    decode(r"seq_lens must be int32 \[2\], got torch.int64 \[2\]", seq_lens=indices(2).long())
    decode("seq_lens must lie in 0..12: 3 pages of 4 tokens a sequence", seq_lens=indices(2, fill=13))
    decode("seq_lens must lie in 0..12", seq_lens=indices(2, fill=-1))
    decode("block_tables must name pages 0..4 for every block that seq_lens counts", block_tables=indices(2, 3, fill=5))
    decode(r"block_indices must be int32 \[2,2,top_k\]", block_indices=indices(2, 4, 1))
    decode("block_indices must be -1 or a block of the sequence", block_indices=indices(2, 2, 1, fill=3))
    decode("msa_decode has no gradient", q=zeros(2, 4, 16).requires_grad_())


def test_paged_selection():
    right = dict(index_q=zeros(2, 2, 16), index_k_pages=zeros(5, 4, 16), top_k=2)
    where = dict(block_tables=indices(2, 3), seq_lens=indices(2, fill=9))
    refused(r"must be \[N,K,Di\] and \[P,page,Di\]", select_blocks_paged, **right | {"index_q": zeros(2, 16)}, **where)
    refused(
        "must share one floating dtype", select_blocks_paged, **right | {"index_q": zeros(2, 2, 16).half()}, **where
    )
    refused("at least 1, got 4 and 0", select_blocks_paged, **right | {"top_k": 0}, **where)


@pytest.mark.usefixtures("triton_device")
def test_what_triton_does_not_take(device):
    x = make(Tq=40, D=24, dtype=torch.float32, device=device)
    kinds = dict(block_size=16, top_k=2, path="triton")
    allowed = "path 'triton' takes 16, 32, 64, 128, 256; path='chunked' takes any"
    refused(f"head dim 24: {allowed}", msa_attention, *x.all(), **kinds)
    x = make(Tq=40, Di=8, dtype=torch.float32, device=device)
    refused(f"index head dim 8: {allowed}", msa_attention, *x.all(), **kinds)
    x = make(Tq=40, dtype=torch.float32, device=device)
    refused(f"block_size 24: {allowed}", msa_attention, *x.all(), **kinds | {"block_size": 24})
    x = make(Tq=40, device=device)
    refused("not torch.float64: cast, or pass path='chunked'", msa_attention, *x.all(), **kinds)


@pytest.mark.usefixtures("triton_device")
def test_bfloat16_is_refused_under_the_interpreter():
    if torch.cuda.is_available():
        pytest.skip("compiled here")
    x = make(Tq=40, dtype=torch.bfloat16)
    refused("bfloat16 is silently wrong", msa_attention, *x.all(), block_size=16, top_k=2, path="triton")
