"""Sequences that begin alike: their common blocks visited as one, with the results of visiting each."""

import pytest
import torch

from kernels.msa import msa_attention
from kernels.paths import KernelInputError
from tests.kernels.assertions import assert_close
from tests.kernels.msa.cases import cu_seqlens, gradients, make

BLOCK, TOP_K = 4, 3
FLAT = list(range(26)), [*range(14), *range(26, 39)]
"""Which tokens each of two sequences has: 14 are common, three whole blocks and half of another."""
QUERIES = 26, 13
N_BLOCKS, SHARED = 14, [*range(7), 0, 1, 2, *range(10, 14)]


def attention(x, **more):
    keys = torch.tensor([*FLAT[0], *FLAT[1]])
    return msa_attention(
        x.q, x.k[:, keys], x.v[:, keys], x.index_q, x.index_k[:, keys], block_size=BLOCK, top_k=TOP_K,
        cu_seqlens_q=cu_seqlens(*QUERIES), cu_seqlens_k=cu_seqlens(*map(len, FLAT)), path="chunked", **more,
    )  # fmt: skip


@pytest.mark.parametrize("replayed", [False, True])
def test_same_results(replayed):
    x = make(Tq=39)
    choices = {"block_indices": attention(make(Tq=39, seed=5)).block_indices} if replayed else {}
    found, wanted = (
        attention(x, index_loss_coeff=0.5, **choices, **more) for more in ({"shared_blocks": torch.tensor(SHARED)}, {})
    )
    assert torch.equal(found.block_indices, wanted.block_indices)
    assert_close("o", wanted.o, found.o, 1e-12)
    assert_close("index_loss", wanted.index_loss, found.index_loss, 1e-12)
    for output in ("o", "index_loss"):
        ours, theirs = gradients(getattr(found, output), x), gradients(getattr(wanted, output), x)
        for name in ours:
            assert (ours[name] is None) == (theirs[name] is None)
            if ours[name] is not None:
                assert_close(f"{output} d_{name}", theirs[name], ours[name], 1e-12)


def test_one_entry_a_block():
    with pytest.raises(KernelInputError, match="shared_blocks has 5 entries and there are 14 blocks"):
        attention(make(Tq=39), shared_blocks=torch.arange(5))
