"""What a trainer needs: auxiliary losses, gradients where they belong, activation checkpointing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from policy.checkpoint import load
from policy.model import Decoder, PackedContext
from policy.model.moe import balance_loss, choose, grouped_linear
from tests.policy.families import FAMILIES, hf_model, tokens


def gradients(model: Decoder, context: PackedContext, ids_T: Tensor, *, main: float = 1.0) -> dict[str, Tensor | None]:
    loss = main * model.logits(model(ids_T, context)).logsumexp(-1).mean()
    loss = loss + sum((context.losses or {}).values(), torch.zeros(()))
    named = dict(model.named_parameters())
    return dict(zip(named, torch.autograd.grad(loss, list(named.values()), allow_unused=True), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_activation_checkpointing(checkpoint: Callable[[str], Path], family: str) -> None:
    """The same gradients of all losses, with less kept."""
    model, ids = load(checkpoint(family), dtype=torch.float64).model, tokens(40)

    def run(checkpoint_layers: bool) -> tuple[dict[str, Tensor | None], int]:
        model.checkpoint_layers = checkpoint_layers
        kept = 0

        def count(tensor: Tensor) -> Tensor:
            nonlocal kept
            kept += tensor.nbytes
            return tensor

        context = PackedContext([25, 15], collect_losses=True, index_loss_coeff=0.1)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            return gradients(model, context, ids), kept

    plain, plain_bytes = run(False)
    again, again_bytes = run(True)
    assert again_bytes < plain_bytes / 2
    for name, value in plain.items():
        if value is None:
            assert again[name] is None, name
        else:
            torch.testing.assert_close(again[name], value, atol=1e-12, rtol=1e-10, msg=name)


def test_index_learns_from_its_loss_alone(checkpoint: Callable[[str], Path]) -> None:
    model, ids = load(checkpoint("minimax_m3"), dtype=torch.float64).model, tokens(61)
    without = gradients(model, PackedContext([61]), ids)
    context = PackedContext([61], collect_losses=True, index_loss_coeff=0.5)
    alone = gradients(model, context, ids, main=0.0)
    assert {name for name in context.losses or {} if name.startswith("index/")} == {"index/1", "index/2"}
    for name in without:
        if ".index." in name:
            assert without[name] is None or not without[name].any(), name
            assert alone[name] is not None, name
            assert alone[name].abs().max() > 1e-6, name
    context = PackedContext([61], collect_losses=True, index_loss_coeff=0.5)
    model(ids, context)
    assert context.losses is not None
    others = [weight for name, weight in model.named_parameters() if ".index." not in name]
    index_losses = sum(value for name, value in context.losses.items() if name.startswith("index/"))
    for gradient in torch.autograd.grad(index_losses, others, allow_unused=True):
        assert gradient is None or not gradient.any()
    assert index_losses.item() > 0


def test_balance_loss_is_theirs() -> None:
    """transformers joins all layers into one figure; of a single layer it is ours."""
    from transformers.models.minimax.modeling_minimax import load_balancing_loss_func

    logits = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    scores = logits.softmax(-1)
    wanted = load_balancing_loss_func((logits,), 6, 2)
    torch.testing.assert_close(balance_loss(scores, choose(scores, None, 2)), wanted)
    even = torch.arange(12).view(6, 2) % 6
    torch.testing.assert_close(balance_loss(torch.full((6, 6), 0.5), even), torch.tensor(2.0))


def test_losses_only_where_wanted(checkpoint: Callable[[str], Path]) -> None:
    model, ids = load(checkpoint("minimax")).model, tokens(20)
    context = PackedContext([20], collect_losses=True)
    model(ids, context)
    assert sorted(context.losses or {}) == [f"router/{i}" for i in range(8)]
    context = PackedContext([20])
    model(ids, context)
    assert context.losses is None


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "minimax_m2"])
def test_gradients_are_theirs(checkpoint: Callable[[str], Path], family: str) -> None:
    """Of a loss on the logits, with regard to the embedding and every norm."""
    theirs, ids = hf_model(family), tokens(40)
    theirs(ids[None]).logits[0].logsumexp(-1).mean().backward()
    ours = gradients(load(checkpoint(family)).model, PackedContext([40]), ids)
    names = {"embedding.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight"}
    for i in range(theirs.config.num_hidden_layers):
        names[f"layers.{i}.mixer_norm.weight"] = f"model.layers.{i}.input_layernorm.weight"
        names[f"layers.{i}.mixer.out.weight"] = f"model.layers.{i}.self_attn.o_proj.weight"
    for name, their_name in names.items():
        wanted = theirs.get_parameter(their_name).grad
        torch.testing.assert_close(
            ours[name], wanted, atol=1e-5, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_router_learns_under_replay(checkpoint: Callable[[str], Path]) -> None:
    """Replay fixes which experts, not how much of each: the router keeps its gradient."""
    from policy.model import Choices

    model, ids, record = load(checkpoint("minimax_m2")).model, tokens(30), Choices()
    model(ids, PackedContext([30], record=record))
    got = gradients(model, PackedContext([30], replay=record), ids)
    wanted = gradients(model, PackedContext([30]), ids)
    for i in range(2):
        name = f"layers.{i}.feed_forward.router.weight"
        assert got[name].abs().max() > 1e-6
        torch.testing.assert_close(got[name], wanted[name])


@pytest.mark.parametrize("counts", [[3, 0, 5, 1], [0, 0, 9, 0], [9, 0, 0, 0]])
def test_grouped_linear(counts: list[int]) -> None:
    """Row by row is the specification; experts without a token."""
    generator = torch.Generator().manual_seed(0)
    rows, weight = torch.randn(sum(counts), 5, generator=generator), torch.randn(4, 7, 5, generator=generator)
    expert = [x for x, n in enumerate(counts) for _ in range(n)]
    wanted = torch.stack([weight[x] @ row for x, row in zip(expert, rows, strict=True)])
    torch.testing.assert_close(grouped_linear(rows, weight, torch.tensor(counts)), wanted)


@pytest.mark.gpu
def test_grouped_linear_on_a_gpu() -> None:
    rows, weight = torch.randn(24, 64, device="cuda"), torch.randn(4, 32, 64, device="cuda")
    counts = torch.tensor([7, 0, 16, 1], device="cuda")
    rows, weight = rows.bfloat16().requires_grad_(), weight.bfloat16().requires_grad_()
    ours = grouped_linear(rows, weight, counts)
    wanted = torch.cat([part @ weight[x].T for x, part in enumerate(rows.split(counts.tolist()))])
    torch.testing.assert_close(ours, wanted, atol=1e-2, rtol=1e-2)
    for got, want in zip(
        *(torch.autograd.grad(y.float().square().sum(), (rows, weight)) for y in (ours, wanted)), strict=True
    ):
        torch.testing.assert_close(got, want, atol=0.1, rtol=3e-2)
