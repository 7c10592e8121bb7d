"""index_loss: KL by its definition, its gradients, and where they go."""

from __future__ import annotations

import pytest
import torch

from kernels.msa import index_loss, select_blocks, sparse_attention
from tests.kernels.assertions import assert_close
from tests.kernels.msa.cases import gradients, make

paths = pytest.mark.parametrize("path", ["naive", "chunked"])


def loss_of(x, path, block_size=4, top_k=3):
    chosen, index_lse = select_blocks(*x.index(), block_size=block_size, top_k=top_k, with_lse=True, path=path)
    _, lse = sparse_attention(*x.main(), chosen, block_size=block_size, path=path)
    return index_loss(x.q, x.k, *x.index(), chosen, lse, index_lse, block_size=block_size, path=path)


@paths
def test_it_is_the_mean_divergence_over_the_chosen_tokens(path):
    x = make(Tq=9, prefix=2)
    total = 0.0
    chosen, _ = select_blocks(*x.index(), block_size=4, top_k=2)
    for i in range(9):
        for r in range(2):
            keys = [j for b in chosen[0, i, r].tolist() if b >= 0 for j in range(4 * b, 4 * b + 4) if j <= i + 2]
            heads = [(x.q[0, i, h] @ x.k[0, keys, r].T / 4).softmax(0) for h in (2 * r, 2 * r + 1)]
            p = sum(heads) / 2
            index_p = (x.index_q[0, i, r] @ x.index_k[0, keys].T / 4).softmax(0)
            total += (p * (p / index_p).log()).sum()
    assert_close("loss", total / 18, loss_of(x, path, top_k=2), 1e-13)


@pytest.mark.parametrize("prefix", [0, 6])
@pytest.mark.parametrize(("H", "K"), [(4, 2), (3, 1), (2, 2)])
def test_the_closed_form_is_autograds_gradient(H, K, prefix, device):
    x = make(B=2, H=H, K=K, prefix=prefix, device=device)
    want, got = (torch.autograd.grad(3 * loss_of(x, path), x.index()) for path in ("naive", "chunked"))
    for name, one, other in zip(("index_q", "index_k"), want, got, strict=True):
        assert_close(name, one, other, 1e-13)


@paths
def test_the_gradient_goes_into_the_index_branch_alone(path):
    x = make()
    found = gradients(loss_of(x, path), x)
    assert [name for name, gradient in found.items() if gradient is None] == ["q", "k", "v"]
    assert all(found[name].abs().max() > 0 for name in ("index_q", "index_k"))


@paths
def test_equal_distributions_have_no_loss_and_no_gradient(path):
    x = make(H=2, K=2)
    with torch.no_grad():
        for t in x.all():
            t.zero_()
    loss = loss_of(x, path)
    assert abs(loss.item()) < 1e-15
    assert all((g.abs() < 1e-15).all() for g in torch.autograd.grad(loss, x.index()))


def test_learning_finds_the_blocks_of_the_main_branch():
    """Gradient descent on the loss alone: the share of attention's mass that the chosen blocks hold rises."""
    T, block_size, top_k = 96, 4, 4
    x = make(Tq=T, H=2, K=1, D=8, Di=8, dtype=torch.float32)
    with torch.no_grad():
        x.q.mul_(4.0)
    optimizer = torch.optim.Adam(x.index(), lr=0.05)

    def mass():
        chosen, _ = select_blocks(*x.index(), block_size=block_size, top_k=top_k)
        _, lse = sparse_attention(*x.main(), chosen, block_size=block_size)
        _, all_lse = sparse_attention(*x.main(), everything, block_size=block_size)
        return (lse - all_lse).exp().mean().item()

    blocks = torch.arange(T // block_size, dtype=torch.int32)
    everything = blocks.where(blocks <= (torch.arange(T) // block_size)[:, None], -1)[None, :, None]
    _, lse = sparse_attention(*x.main(), everything, block_size=block_size)
    before, losses = mass(), []
    for _ in range(40):
        optimizer.zero_grad()
        # the warm-up: every visible block is chosen
        _, index_lse = select_blocks(*x.index(), block_size=block_size, top_k=T // block_size, with_lse=True)
        loss = index_loss(x.q, x.k, *x.index(), everything, lse, index_lse, block_size=block_size)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    assert mass() > before + 0.2
