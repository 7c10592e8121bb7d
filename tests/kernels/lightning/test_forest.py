"""A forest's tokens see what stands on their paths, and nothing else."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kernels.forest import Forest
from kernels.lightning import ForestPlan, lightning_attention, lightning_forest
from kernels.paths import KernelInputError
from tests.kernels.assertions import assert_close
from tests.kernels.lightning.cases import Case, assert_all_close, case

EXACT = 1e-12
CPU = torch.device("cpu")
BRANCHED = Forest((70, 3, 64, 1, 130, 5), (-1, 0, 0, 1, 2, -1))


def results(c: Case, forest: Forest, path: str, device: torch.device = CPU) -> dict[str, Tensor]:
    q, k, v = (x[0].clone().requires_grad_() for x in (c.q, c.k, c.v))
    o = lightning_forest(q, k, v, c.slopes, ForestPlan(forest, device), path=path)
    o.backward(c.d_o[0])
    return {"o": o.detach(), "dq": q.grad, "dk": k.grad, "dv": v.grad}


@st.composite
def forests(draw: st.DrawFn) -> Forest:
    lengths = draw(st.lists(st.integers(1, 140), min_size=1, max_size=8))
    # mostly near: long paths, and segments that follow their parents on the token axis
    parents = [max(-1, n - 1 - draw(st.integers(0, 2))) for n in range(len(lengths))]
    return Forest(tuple(lengths), tuple(parents))


@pytest.mark.parametrize("path", ["naive", "chunked"])
def test_each_path_is_a_sequence_of_its_own(path):
    c = case(1, BRANCHED.n_tokens, 2, 4)
    o = lightning_forest(c.q[0], c.k[0], c.v[0], c.slopes, ForestPlan(BRANCHED, CPU), path=path)
    for segment, length in enumerate(BRANCHED.lengths):
        places = [token for above in BRANCHED.path(segment) for token in BRANCHED.tokens(above)]
        alone, _ = lightning_attention(*(x[:, places] for x in (c.q, c.k, c.v)), c.slopes, path="naive")
        assert_close(f"segment {segment}", alone[0, -length:], o[places[-length:]], EXACT)


@given(forests())
@settings(max_examples=60, deadline=None)
def test_chunks_side_by_side_are_level_by_level(forest):
    c = case(1, forest.n_tokens, 2, 3)
    assert_all_close(results(c, forest, "naive"), results(c, forest, "chunked"), EXACT)


def test_more_chunks_than_lie_side_by_side():
    forest = Forest((9,) + (2,) * 300, (-1,) + (0,) * 300)
    c = case(1, forest.n_tokens, 2, 3)
    assert_all_close(results(c, forest, "naive"), results(c, forest, "chunked"), EXACT)


def test_a_row_of_segments_is_cut_as_one():
    """So are its turns, where each is one sample: nothing else begins in between."""
    row = Forest((10,) * 30, tuple(range(-1, 29)))
    assert ForestPlan(row, CPU).chunks.lengths_N.tolist() == [64] * 4 + [44]


def test_states_and_sums_of_bfloat16_are_float32(device):
    c = case(1, BRANCHED.n_tokens, 2, 16)
    low = results(c.to(torch.bfloat16, device), BRANCHED, "chunked", device)
    assert_all_close(results(c, BRANCHED, "naive"), low, 8e-3)


def test_triton_is_the_recurrence(triton_device):
    forest = Forest((20, 3, 17, 1), (-1, 0, 0, 1))
    c = case(1, forest.n_tokens, 2, 16)
    low = results(c.to(torch.float32, triton_device), forest, "triton", triton_device)
    assert_all_close(results(c, forest, "naive"), low, 1e-5)


def test_tokens_that_no_segment_has():
    x = torch.zeros(6, 2, 4)
    with pytest.raises(KernelInputError, match="the forest has 273 tokens, q has 6"):
        lightning_forest(x, x, x, torch.ones(2), ForestPlan(BRANCHED, CPU))
