from __future__ import annotations

import pytest
import torch

from kernels.lightning import lightning_attention, lightning_step
from tests.kernels.lightning.cases import case


def decode(c, path, *, slots=None, n_slots=None):
    """All tokens one by one: o [N,T,H,D], and the states of the sequences."""
    state = torch.full((n_slots or len(c.q), *c.initial_state.shape[1:]), 7.0).to(c.initial_state)
    rows = slice(None) if slots is None else slots
    state[rows] = c.initial_state
    T = c.q.shape[1]
    outputs = [
        lightning_step(c.q[:, t], c.k[:, t], c.v[:, t], c.slopes, state, slots=slots, path=path) for t in range(T)
    ]
    others = torch.ones(len(state), dtype=torch.bool, device=state.device)
    others[rows] = False
    assert (state[others] == 7).all(), "a row that no slot names was changed"
    return torch.stack(outputs, 1), state[rows]


@pytest.mark.parametrize("path", ["naive", "chunked"])
@pytest.mark.parametrize("slots", [None, [4, 0, 2]])
def test_decode_is_prefill(path, slots, device):
    c = case(3, 20, 2, 5).to(torch.float64, device)
    o, last = lightning_attention(c.q, c.k, c.v, c.slopes, initial_state=c.initial_state)
    where = None if slots is None else torch.tensor(slots, device=device)
    got, state = decode(c, path, slots=where, n_slots=5 if slots else None)
    torch.testing.assert_close(got, o, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(state, last, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("slots", "D"), [(None, 16), ([4, 0, 2], 64)])
def test_triton_decode_is_prefill(slots, D, triton_device):
    c = case(3, 4, 2, D)
    o, last = lightning_attention(c.q, c.k, c.v, c.slopes, initial_state=c.initial_state, path="naive")
    where = None if slots is None else torch.tensor(slots, device=triton_device)
    got, state = decode(c.to(torch.float32, triton_device), "triton", slots=where, n_slots=5 if slots else None)
    torch.testing.assert_close(got.cpu().double(), o, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(state.cpu().double(), last, rtol=1e-4, atol=1e-4)


def test_the_state_stays_float32_under_bfloat16():
    c = case(2, 300, 2, 8).to(torch.bfloat16)
    got, state = decode(c, "chunked")
    exact = c.to(torch.float64)
    _, last = lightning_attention(exact.q, exact.k, exact.v, exact.slopes, initial_state=exact.initial_state)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(state.double(), last, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("path", ["naive", "chunked", "triton"])
def test_no_sequences_is_no_work(path, triton_device):
    state = torch.ones(2, 2, 16, 16, device=triton_device)
    nothing = torch.empty(0, 2, 16, device=triton_device)
    o = lightning_step(nothing, nothing, nothing, torch.ones(2, device=triton_device), state, path=path)
    assert o.shape == (0, 2, 16)
    assert (state == 1).all()
