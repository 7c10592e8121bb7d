"""select_blocks: which blocks, in which order, with which log-sum-exp."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.msa import select_blocks
from kernels.msa.chunked import top_keys
from tests.kernels.assertions import assert_close
from tests.kernels.msa.cases import cu_seqlens, make

paths = pytest.mark.parametrize("path", ["naive", "chunked"])


def by_hand(index_q, index_k, block_size, top_k):
    """Token by token, in Python."""
    chosen = []
    for i, q_KD in enumerate(index_q.tolist()):
        chosen.append([])
        for row in q_KD:
            scores = [sum(a * b for a, b in zip(row, key, strict=True)) for key in index_k.tolist()[: i + 1]]
            local = i // block_size
            best = [max(scores[b * block_size : (b + 1) * block_size]) for b in range(local)]
            others = sorted(range(local), key=lambda b: (-best[b], b))[: top_k - 1]
            picked = [*sorted(others), local]
            chosen[-1].append(picked + [-1] * (top_k - len(picked)))
    return torch.tensor(chosen, dtype=torch.int32)


@paths
@pytest.mark.parametrize(("block_size", "top_k"), [(4, 3), (5, 1), (1, 4), (64, 2), (3, 50)])
def test_the_blocks_are_those_of_the_greatest_scores(path, block_size, top_k):
    # whole numbers: sums are exact and ties many
    x = make(Di=3, seed=3)
    index_q, index_k = (t.detach().round() for t in x.index())
    chosen, lse = select_blocks(index_q, index_k, block_size=block_size, top_k=top_k, path=path)
    assert lse is None
    assert torch.equal(chosen[0], by_hand(index_q[0], index_k[0], block_size, top_k))


@paths
def test_ties_go_to_the_lowest_blocks(path, device):
    index_q, index_k = torch.zeros(1, 80, 2, 16, device=device), torch.zeros(1, 80, 16, device=device)
    index_q[:, ::2] *= -1.0  # zeros of both signs
    chosen, _ = select_blocks(index_q, index_k, block_size=4, top_k=16, path=path)
    assert chosen[0, -1, 1].tolist() == [*range(15), 19]
    assert chosen[0, -2, 0].tolist() == [*range(15), 19]


@paths
@pytest.mark.parametrize("top_k", [1, 4])
def test_the_own_block_is_always_there_once_and_last(path, top_k, device):
    x = make(B=2, Tq=50, device=device)
    with torch.no_grad():
        x.index_k[:, 40:] = -100 * x.index_q[:, 40:].mean(2)  # the own block scores worst
    chosen, _ = select_blocks(*x.index(), block_size=4, top_k=top_k, path=path)
    local = torch.arange(50, device=device)[:, None] // 4
    valid = chosen >= 0
    last = chosen.gather(-1, valid.sum(-1, keepdim=True) - 1)[..., 0]
    assert (last == local).all()
    assert ((chosen == local[..., None]).sum(-1) == 1).all()
    assert (valid.sum(-1) == (local + 1).clamp(max=top_k)).all()
    assert (chosen.diff(dim=-1) > 0)[valid[..., 1:]].all(), "ascending"
    assert not (valid[..., 1:] & ~valid[..., :-1]).any(), "-1 stands behind"


@paths
def test_the_log_sum_exp_is_over_the_chosen_blocks_visible_tokens(path):
    x = make(Tq=23, prefix=6)
    chosen, lse = select_blocks(*x.index(), block_size=4, top_k=2, with_lse=True, path=path)
    for i in range(23):
        for r in range(2):
            keys = [j for b in chosen[0, i, r].tolist() if b >= 0 for j in range(4 * b, 4 * b + 4) if j <= i + 6]
            want = (x.index_k[0, keys] @ x.index_q[0, i, r] / 4).logsumexp(0)
            assert_close("lse", want, lse[0, i, r], 1e-12)


def test_chunks_of_queries_make_no_difference(monkeypatch):
    x = make(Tq=61, prefix=5)
    want = select_blocks(*x.index(), block_size=4, top_k=5, with_lse=True, path="naive")
    monkeypatch.setattr("kernels.msa.chunked.SCORES", 700)
    got = select_blocks(*x.index(), block_size=4, top_k=5, with_lse=True, path="chunked")
    assert torch.equal(got[0], want[0])
    assert_close("lse", want[1], got[1], 1e-12)


@paths
def test_packed_sequences_choose_as_alone(path):
    queries, keys = (5, 0, 17, 1), (9, 3, 17, 40)
    x = make(Tq=23, prefix=46)
    cu = dict(cu_seqlens_q=cu_seqlens(*queries), cu_seqlens_k=cu_seqlens(*keys))
    chosen, lse = select_blocks(*x.index(), block_size=4, top_k=3, with_lse=True, path=path, **cu)
    q_at = k_at = 0
    for n_queries, n_keys in zip(queries, keys, strict=True):
        alone = x.cut(slice(q_at, q_at + n_queries), slice(k_at, k_at + n_keys))
        want, want_lse = select_blocks(*alone.index(), block_size=4, top_k=3, with_lse=True, path="naive")
        assert torch.equal(chosen[:, q_at : q_at + n_queries], want)
        assert_close("lse", want_lse, lse[:, q_at : q_at + n_queries], 1e-12)
        q_at, k_at = q_at + n_queries, k_at + n_keys


@paths
@pytest.mark.parametrize(("Tq", "prefix"), [(0, 0), (0, 9), (1, 0), (1, 12), (12, 0), (13, 0)])
def test_odd_lengths(path, Tq, prefix):
    x = make(Tq=Tq, prefix=prefix)
    chosen, lse = select_blocks(*x.index(), block_size=4, top_k=3, with_lse=True, path=path)
    assert chosen.shape == (1, Tq, 2, 3)
    assert chosen.dtype == torch.int32
    assert torch.isfinite(lse).all()
    if Tq:
        assert (
            (chosen[0, -1] == torch.tensor([[(Tq + prefix - 1) // 4 - d for d in (2, 1, 0)]])).all()
            or Tq + prefix > 12
            or Tq + prefix < 9
        )


SCORES = st.lists(st.floats(width=32, allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0]), min_size=1, max_size=20)


@settings(max_examples=200, deadline=None)
@given(scores=SCORES, data=st.data())
def test_integer_keys_order_as_scores_do(scores, data):
    local = data.draw(st.integers(0, len(scores) - 1))
    top_k = data.draw(st.integers(1, 25))
    others = sorted(range(local), key=lambda b: (-scores[b], b))[: top_k - 1]
    want = [*sorted(others), local]
    got = top_keys(torch.tensor(scores), torch.tensor(local), top_k).tolist()
    assert got[: len(want)] == want
    assert set(got[len(want) :]) <= {-1}
