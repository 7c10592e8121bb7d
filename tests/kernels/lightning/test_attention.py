"""Every path against the recurrence, in all outputs and gradients."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.lightning import decay_slopes, lightning_attention
from kernels.lightning.chunked import ChunkedLightning
from kernels.lightning.naive import recurrent
from tests.kernels.lightning.cases import assert_all_close, case, results

PACKED = [0, 1, 70, 0, 64, 15, 0]
EXACT = 1e-12


def test_the_recurrence_is_the_quadratic_form():
    """The specification itself: o_i = exp(-s(i+1)) q_i S_0 + sum over j <= i of exp(-s(i-j)) (q_i k_j) v_j."""
    c = case(2, 13, 4, 3)
    slopes = c.slopes.double()[:, None, None]
    i = torch.arange(13)
    weights = torch.where(i[:, None] >= i, torch.exp(-slopes * (i[:, None] - i)), 0.0)
    q, k, v = (x.transpose(1, 2) for x in (c.q, c.k, c.v))
    o = torch.exp(-slopes * (i[:, None] + 1)) * (q @ c.initial_state) + (q @ k.mT * weights) @ v
    got, _ = recurrent(c.q, c.k, c.v, c.slopes, c.initial_state)
    torch.testing.assert_close(got, o.transpose(1, 2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("T", [1, 15, 64, 65, 150])
def test_chunked_is_the_recurrence(T, device):
    c = case(2, T, 4, 5)
    assert_all_close(c.results("naive"), c.to(torch.float64, device).results("chunked"), EXACT)


@pytest.mark.parametrize("chunk", [1, 16, 32, 64, 256])
@pytest.mark.parametrize("T", [64, 77, 300])
def test_the_chunk_changes_nothing(chunk, T):
    c = case(1, T, 2, 4)
    chunked = results(c, lambda *inputs: ChunkedLightning.apply(*inputs[:3], c.slopes, inputs[3], chunk))
    assert_all_close(c.results("naive"), chunked, EXACT)


def test_many_pieces_with_fast_and_with_hardly_any_decay():
    """T is over 16 chunks of 16; layer 7 of 8 keeps all, and head 0 of layer 0 forgets within a chunk."""
    for layer in (0, 7):
        c = case(1, 16 * 16 * 2 + 5, 2, 4, layer=layer)
        chunked = results(c, lambda *inputs, c=c: ChunkedLightning.apply(*inputs[:3], c.slopes, inputs[3], 16))
        assert_all_close(c.results("naive"), chunked, EXACT)


@pytest.mark.parametrize("path", ["naive", "chunked"])
def test_packed_sequences_are_each_by_itself(path):
    c = case(1, sum(PACKED), 2, 4, lengths=PACKED)
    packed = c.results(path)
    bounds = c.cu_seqlens.tolist()
    for n, (first, last) in enumerate(itertools.pairwise(bounds)):
        o, state = lightning_attention(
            c.q[:, first:last], c.k[:, first:last], c.v[:, first:last], c.slopes,
            initial_state=c.initial_state[n : n + 1], path="naive",
        )  # fmt: skip
        torch.testing.assert_close(packed["o"][:, first:last], o, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(packed["state"][n : n + 1], state, rtol=1e-10, atol=1e-10)
        if first == last:
            assert torch.equal(packed["state"][n], c.initial_state[n])
            assert torch.equal(packed["d(initial_state)"][n], c.d_state[n])
    assert_all_close(c.results("naive"), packed, EXACT)


@settings(deadline=None, max_examples=40)
@given(T=st.integers(2, 150), data=st.data())
def test_split_anywhere(T, data):
    """Prefill a tokens, hand the state over, continue: as if in one. An off-by-one between chunks can't hide."""
    split = data.draw(st.integers(1, T - 1))
    c = case(1, T, 2, 4, seed=T)
    whole, last = lightning_attention(c.q, c.k, c.v, c.slopes)
    state, parts = None, []
    for part in (slice(0, split), slice(split, T)):
        o, state = lightning_attention(c.q[:, part], c.k[:, part], c.v[:, part], c.slopes, initial_state=state)
        parts.append(o)
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(state, last, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("path", ["naive", "chunked"])
def test_the_future_never_matters(path):
    c = case(1, 100, 2, 4)
    o, _ = lightning_attention(c.q, c.k, c.v, c.slopes, path=path)
    later_k, later_v = c.k.clone(), c.v.clone()
    later_k[:, 70:], later_v[:, 70:] = 1e6, 1e6
    changed, _ = lightning_attention(c.q, later_k, later_v, c.slopes, path=path)
    assert torch.equal(changed[:, :70], o[:, :70])


@pytest.mark.parametrize("lengths", [None, [3, 0, 4]])
def test_gradcheck(lengths):
    c = case(1, 7, 2, 3, lengths=lengths)
    inputs = [x.requires_grad_() for x in (c.q, c.k, c.v, c.initial_state)]

    def operation(q, k, v, state):
        if lengths is None:
            return ChunkedLightning.apply(q, k, v, c.slopes, state, 3)
        return lightning_attention(q, k, v, c.slopes, initial_state=state, cu_seqlens=c.cu_seqlens)

    assert torch.autograd.gradcheck(operation, inputs)


@pytest.mark.parametrize(("dtype", "ratio"), [(torch.float32, 2e-6), (torch.bfloat16, 5e-3), (torch.float16, 1e-3)])
def test_low_precision_accumulates_in_float32(dtype, ratio, device):
    c = case(1, 200, 4, 16).to(dtype)
    got = c.to(dtype, device).results("chunked")
    assert got["o"].dtype == dtype
    assert got["state"].dtype == torch.float32
    assert_all_close(c.to(torch.float64).results("naive"), got, ratio)


@pytest.mark.parametrize(
    ("T", "lengths", "D"), [(1, None, 16), (130, None, 16), (100, None, 32), (sum(PACKED), PACKED, 16)]
)
def test_triton_is_the_recurrence(T, lengths, D, triton_device):
    c = case(1 if lengths else 2, T, 2, D, lengths=lengths)
    assert_all_close(c.results("naive"), c.to(torch.float32, triton_device).results("triton"), 1e-5)


@pytest.mark.parametrize(("chunk", "segment_chunks"), [(16, 3), (32, 1)])
def test_triton_in_many_segments(chunk, segment_chunks, triton_device):
    from kernels.lightning.triton_op import TritonLightning

    c = case(1, 77 + 40, 2, 16, lengths=[77, 0, 40])
    on = c.to(torch.float32, triton_device)
    got = results(on, lambda *inputs: TritonLightning.apply(
        *inputs[:3], on.slopes, inputs[3], on.cu_seqlens.int(), chunk, segment_chunks
    ))  # fmt: skip
    assert_all_close(c.results("naive"), got, 1e-5)


def test_triton_reads_q_k_and_v_as_one_projection_left_them(triton_device):
    c = case(1, 20, 2, 16)
    fused = torch.cat([c.q, c.k, c.v], -1).to(triton_device, torch.float32)
    q, k, v = fused.split(16, -1)
    assert not q.is_contiguous()
    o, _ = lightning_attention(q, k, v, c.slopes.to(triton_device), path="triton")
    reference, _ = lightning_attention(c.q, c.k, c.v, c.slopes, path="naive")
    torch.testing.assert_close(o.cpu().double(), reference, rtol=1e-4, atol=1e-4)


def test_triton_in_float16(triton_device):
    c = case(1, 40, 2, 16).to(torch.float16)
    got = c.to(torch.float16, triton_device).results("triton")
    assert got["o"].dtype == torch.float16
    assert_all_close(c.to(torch.float64).results("naive"), got, 5e-3)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("D", [16, 32, 64, 128, 256])
def test_triton_at_model_shapes(D, dtype, triton_device):
    lengths = [1, 4000, 0, 63, 2500]
    c = case(1, sum(lengths), 8, D, lengths=lengths).to(dtype)
    got = c.to(dtype, triton_device).results("triton")
    reference = c.to(torch.float64, triton_device).results("chunked")
    assert_all_close(reference, got, 1e-4 if dtype == torch.float32 else 5e-3)


def test_transformers_minimax_agrees():
    from transformers import MiniMaxConfig
    from transformers.models.minimax.modeling_minimax import MiniMaxLightningAttention

    config = MiniMaxConfig(
        hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=16, num_hidden_layers=8, block_size=8,
        layer_types=["linear_attention"] * 7 + ["full_attention"],
    )  # fmt: skip
    torch.manual_seed(0)
    module = MiniMaxLightningAttention(config, layer_idx=3).double()
    x = torch.randn(2, 37, 32, dtype=torch.float64)
    slopes = decay_slopes(4, 3, 8)
    torch.testing.assert_close(module.slope_rate.flatten().float(), slopes, rtol=1e-6, atol=0)
    with torch.no_grad():
        out, state = module(x, None, None)
        q, k, v = module.act_fn(module.qkv_proj(x)).view(2, 37, 4, 48).split(16, -1)
        o, ours = lightning_attention(q, k, v, slopes)
        ours_out = module.out_proj(torch.sigmoid(module.output_gate(x)) * module.norm(o.flatten(2)))
    torch.testing.assert_close(ours, state, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours_out, out, rtol=1e-6, atol=1e-6)
