"""select_blocks_paged and msa_decode: one more token a sequence, from pages in any order."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from kernels.msa import msa_attention, msa_decode, select_blocks_paged
from tests.kernels.assertions import assert_close
from tests.kernels.msa.cases import Inputs, make

paths = pytest.mark.parametrize("path", ["naive", "chunked"])


@dataclass(frozen=True)
class Pages:
    k: Tensor
    v: Tensor
    index_k: Tensor
    tables: Tensor
    seq_lens: Tensor


def paged(sequences: list[Inputs], page: int, spare: int = 2) -> Pages:
    """Every sequence's keys in pages that are shuffled; whatever is not written is NaN."""
    lengths = [x.k.shape[1] for x in sequences]
    counts = [-(-length // page) for length in lengths]
    P, device = sum(counts) + spare, sequences[0].k.device
    order = torch.randperm(P, generator=torch.Generator().manual_seed(0)).tolist()
    width = max([*counts, 1]) + 1
    stores = [
        torch.full((P, page, *x.shape[2:]), torch.nan, dtype=x.dtype, device=device)
        for x in (sequences[0].k, sequences[0].v, sequences[0].index_k)
    ]
    tables = torch.full((len(sequences), width), -1, dtype=torch.int32, device=device)
    for n, x in enumerate(sequences):
        for block in range(counts[n]):
            at = order.pop()
            tables[n, block] = at
            for store, keys in zip(stores, (x.k, x.v, x.index_k), strict=True):
                part = keys[0, block * page : (block + 1) * page].detach()
                store[at, : len(part)] = part
    return Pages(*stores, tables, torch.tensor(lengths, dtype=torch.int32, device=device))


def last_tokens(sequences: list[Inputs]) -> tuple[Tensor, ...]:
    """q [N,H,D] and index_q [N,K,Di]; zeros for an empty sequence."""
    queries = [(x.q[0].detach(), x.index_q[0].detach()) for x in sequences]
    return tuple(
        torch.stack([t[-1] if len(t) else t.new_zeros(t.shape[1:]) for t in ts]) for ts in zip(*queries, strict=True)
    )


def check_decode(lengths, page, top_k, path, device, dtype=torch.float64, ratio=1e-12, **shape):
    sequences = [make(Tq=n, seed=n, device=device, dtype=dtype, **shape) for n in lengths]
    pages = paged(sequences, page)
    q, index_q = last_tokens(sequences)
    chosen = select_blocks_paged(index_q, pages.index_k, pages.tables, pages.seq_lens, top_k=top_k, path=path)
    o = msa_decode(q, pages.k, pages.v, pages.tables, pages.seq_lens, chosen, path=path)
    assert chosen.shape == (len(lengths), sequences[0].k.shape[2], top_k)
    assert chosen.dtype == torch.int32
    assert o.dtype == dtype
    for n, x in enumerate(sequences):
        if not lengths[n]:
            assert (o[n] == 0).all()
            assert (chosen[n] == -1).all()
            continue
        whole = msa_attention(*x.all(), block_size=page, top_k=top_k, path="naive")
        assert torch.equal(chosen[n], whole.block_indices[0, -1])
        assert_close("o", whole.o[0, -1], o[n], ratio)


@paths
@pytest.mark.parametrize("lengths", [[1], [37], [4, 8, 12, 13], [5, 0, 1, 70]])
@pytest.mark.parametrize(("page", "top_k"), [(4, 3), (16, 2), (4, 30)])
def test_decoding_is_the_last_row_of_a_prefill(lengths, page, top_k, path, device):
    check_decode(lengths, page, top_k, path, device)


@paths
def test_order_and_padding_of_block_indices_do_not_matter(path):
    sequences = [make(Tq=37)]
    pages, (q, index_q) = paged(sequences, 4), last_tokens(sequences)
    where = (pages.tables, pages.seq_lens)
    chosen = select_blocks_paged(index_q, pages.index_k, *where, top_k=4)
    mixed = torch.nn.functional.pad(chosen.flip(-1), (1, 1), value=-1)
    want, got = (msa_decode(q, pages.k, pages.v, *where, x, path=path) for x in (chosen, mixed))
    assert_close("o", want, got, 1e-14)


@paths
def test_no_sequences(path):
    pages = paged([make(Tq=8)], 4)
    nothing = pages.tables[:0], pages.seq_lens[:0]
    chosen = select_blocks_paged(torch.empty(0, 2, 16).double(), pages.index_k, *nothing, top_k=3, path=path)
    assert chosen.shape == (0, 2, 3)
    o = msa_decode(torch.empty(0, 4, 16).double(), pages.k, pages.v, *nothing, chosen, path=path)
    assert o.shape == (0, 4, 16)


def test_decoding_in_lower_precision():
    check_decode([37, 9], 4, 3, "chunked", "cpu", dtype=torch.float32, ratio=1e-5)
