"""Sequences side by side, and prefix trees: every token gets what it would get alone in its own sequence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from policy.checkpoint import load
from policy.config import PolicyConfig
from policy.model import Choices, Decoder, Forest, PackedContext
from policy.model.forest_attention import forest_attention
from tests.policy.families import FAMILIES, tokens

TREE = [(13, -1), (9, 0), (1, 0), (17, 1), (5, 1), (7, -1), (11, 5), (3, 4)]
"""(length, parent): two trees, four deep, odd lengths, one of a single token."""


@st.composite
def forests(draw: st.DrawFn) -> Forest:
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=8))
    return Forest(tuple(lengths), tuple(draw(st.integers(-1, i - 1)) for i in range(len(lengths))))


@pytest.fixture(scope="module")
def models(checkpoint: Callable[[str], Path]) -> Callable[[str], Decoder]:
    kept: dict[str, Decoder] = {}

    def model(family: str) -> Decoder:
        if family not in kept:
            kept[family] = load(checkpoint(family), dtype=torch.float64).model
        return kept[family]

    return model


def alone(model: Decoder, ids_T: Tensor, forest: Forest) -> Tensor:
    """The specification: each segment's path as a sequence of its own, of which its own part is kept."""
    parts = []
    for segment, length in enumerate(forest.lengths):
        path = torch.tensor([t for s in forest.path(segment) for t in forest.tokens(s)])
        parts.append(model(ids_T[path], PackedContext([len(path)]))[-length:])
    return torch.cat(parts)


@pytest.mark.parametrize("family", FAMILIES)
def test_documents(models: Callable[[str], Decoder], family: str) -> None:
    lengths, ids, model = [1, 20, 33, 8], tokens(62), models(family)
    with torch.no_grad():
        packed = model(ids, PackedContext(lengths))
        torch.testing.assert_close(packed, alone(model, ids, Forest.of_documents(lengths)), atol=1e-9, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_tree(models: Callable[[str], Decoder], family: str) -> None:
    """Hidden states, and the gradients of all weights: shared prefixes gather those of all their branches."""
    lengths, parents = zip(*TREE, strict=True)
    ids, model = tokens(sum(lengths)), models(family)
    weight = torch.randn(
        len(ids), model.config.embed_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )

    def results(hidden: Tensor) -> dict[str, Tensor]:
        named = dict(model.named_parameters())
        grads = torch.autograd.grad((hidden * weight).sum(), list(named.values()), allow_unused=True)
        return {"hidden": hidden} | {n: g for n, g in zip(named, grads, strict=True) if g is not None}

    packed = results(model(ids, PackedContext(lengths, parents)))
    wanted = results(alone(model, ids, Forest(lengths, parents)))
    assert packed.keys() == wanted.keys()
    assert len(packed) > 20
    for name, value in packed.items():
        torch.testing.assert_close(
            value, wanted[name], atol=1e-8, rtol=1e-8, msg=lambda text, name=name: f"{name}: {text}"
        )


@settings(max_examples=30, deadline=None)
@given(forest=forests())
def test_any_tree(forest: Forest) -> None:
    """All mixers over any forest."""
    torch.manual_seed(0)
    model = Decoder(
        PolicyConfig.of(
            {
                "vocab_size": 31, "embed_dim": 16, "n_heads": 2, "n_kv_heads": 1, "head_dim": 8, "ffn_dim": 16,
                "max_context": 64, "layers": [{"mixer": "lightning"}, {"mixer": "msa"}, {"mixer": "softmax"}], "norm_eps": 1e-5,
                "rope": {"theta": 1e4, "rotary_dim": 4}, "lightning": {},
                "msa": {"index_dim": 4, "block_size": 2, "top_k": 2},
            }
        ),
        dtype=torch.float64,
    )  # fmt: skip
    ids = tokens(forest.n_tokens, vocab_size=31)
    with torch.no_grad():
        wanted = alone(model, ids, forest)
        for path in (None, "naive"):
            packed = model(ids, PackedContext(forest.lengths, forest.parents, path=path))
            torch.testing.assert_close(packed, wanted, atol=1e-9, rtol=0)


@given(forests())
def test_chains(forest: Forest) -> None:
    """They cover the axis, and with what lies above them they are the paths."""
    chains = forest.chains
    assert [t for chain in chains for t in chain.tokens] == list(range(forest.n_tokens))
    paths = {}
    for segment in range(len(forest.lengths)):
        path = [t for s in forest.path(segment) for t in forest.tokens(s)]
        paths |= {token: path[: len(path) - n] for n, token in enumerate(reversed(forest.tokens(segment)))}
    for number, chain in enumerate(chains):
        found = [t for above in [*forest.above(number), chain.tokens] for t in above]
        assert found == paths[chain.tokens[-1]]
        assert len(found) == chain.offset + len(chain.tokens)


def test_attention_over_a_forest() -> None:
    """Grouped heads, every dtype that a CPU may have: outputs and gradients of plain attention with a mask."""
    lengths, parents = zip(*TREE, strict=True)
    forest = Forest(lengths, parents)
    sees = torch.zeros(forest.n_tokens, forest.n_tokens, dtype=torch.bool)
    for segment in range(len(lengths)):
        path = [t for s in forest.path(segment) for t in forest.tokens(s)]
        for n, token in enumerate(reversed(forest.tokens(segment))):
            sees[token, path[: len(path) - n]] = True
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 3e-2)):
        generator = torch.Generator().manual_seed(0)
        q, k, v, weight = (
            torch.randn(forest.n_tokens, heads, 16, dtype=torch.float64, generator=generator).to(dtype).requires_grad_()
            for heads in (6, 2, 2, 6)
        )
        ours = forest_attention(q, k, v, forest, 0.3)
        theirs = torch.nn.functional.scaled_dot_product_attention(
            *(x.double().transpose(0, 1) for x in (q, k, v)), attn_mask=sees, scale=0.3, enable_gqa=True
        ).transpose(0, 1)
        found, wanted = (torch.autograd.grad((o * weight).sum(), (q, k, v)) for o in (ours, theirs))
        for name, a, b in zip("oqkv", (ours, *found), (theirs, *wanted), strict=True):
            torch.testing.assert_close(a.double(), b.double(), atol=tolerance, rtol=tolerance, msg=f"{name} {dtype}")


def test_forest_drawn() -> None:
    """The picture in the module's docstring."""
    forest = Forest((3, 2, 2), (-1, 0, 0))
    assert PackedContext(forest.lengths, forest.parents).positions_T.tolist() == [0, 1, 2, 3, 4, 3, 4]
    assert (forest.n_tokens, forest.depths, forest.path(2)) == (7, (0, 1, 1), [0, 2])
    assert not forest.only_roots


@pytest.mark.parametrize(
    ("lengths", "parents", "message"),
    [
        ([], None, r"0 lengths and 0 parents"),
        ([3, 0], None, r"segment 1 has 0 tokens: need at least 1"),
        ([3, 2], [-1], r"2 lengths and 1 parents"),
        ([3, 2], [1, -1], r"segment 0 has parent 1: need -1 or an earlier segment"),
        ([3, 2], [-1, -2], r"segment 1 has parent -2"),
    ],
)
def test_no_forest(lengths: list[int], parents: list[int] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PackedContext(lengths, parents)


def test_msa_reports_its_path(models: Callable[[str], Decoder]) -> None:
    """Three blocks of eight: up to 24 tokens every block is chosen, and plain attention is the same."""
    for n, path in ((24, "dense"), (25, "chunked")):
        context = PackedContext([n])
        with torch.no_grad():
            models("minimax_m3")(tokens(n), context)
        assert context.msa_paths == {1: path, 2: path}


def test_other_number_of_tokens(models: Callable[[str], Decoder]) -> None:
    with pytest.raises(ValueError, match=r"tokens have shape \[7\], the context's positions \[8\]"):
        models("llama")(tokens(7), PackedContext([8]))
    with pytest.raises(ValueError, match=r"tokens have shape \[1, 8\]"):
        models("llama")(tokens(8)[None], PackedContext([8]))


def test_replay_is_the_recorded_forward(models: Callable[[str], Decoder]) -> None:
    """Choices of one forward, replayed in another, bind it; its weights still move the scores."""
    model, lengths, ids = models("minimax_m3"), [40, 37], tokens(77)
    other = load_other(model)
    record, replayed = Choices(), Choices()
    with torch.no_grad():
        first = model(ids, PackedContext(lengths, record=record))
        assert record.experts.keys() == {1, 2}
        assert record.blocks.keys() == {1, 2}
        assert record.experts[1].shape == (77, 2)
        assert record.blocks[1].shape == (77, 2, 3)
        torch.testing.assert_close(model(ids, PackedContext(lengths, replay=record)), first, atol=1e-12, rtol=0)
        free = Choices()
        other(ids, PackedContext(lengths, record=free))
        other(ids, PackedContext(lengths, replay=record, record=replayed))
    assert not torch.equal(free.experts[1], record.experts[1])
    assert not torch.equal(free.blocks[1], record.blocks[1])
    for layer in (1, 2):
        assert torch.equal(replayed.experts[layer], record.experts[layer])
        assert torch.equal(replayed.blocks[layer], record.blocks[layer])


def load_other(model: Decoder) -> Decoder:
    """A little further in training."""
    other = Decoder(model.config, dtype=torch.float64)
    other.load_state_dict(model.state_dict())
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype))
    return other


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16(checkpoint: Callable[[str], Path], family: str) -> None:
    """Close to fp32 under the same choices, in hidden states of its own dtype and logits in fp32."""
    wide, narrow = (load(checkpoint(family), dtype=dtype).model for dtype in (torch.float32, torch.bfloat16))
    ids, record = tokens(61), Choices()
    with torch.no_grad():
        wanted = wide(ids, PackedContext([61], record=record))
        hidden = narrow(ids, PackedContext([61], replay=record))
        assert hidden.dtype == torch.bfloat16
        assert narrow.logits(hidden).dtype == torch.float32
        assert torch.cosine_similarity(hidden.float(), wanted).min() > 0.99
        assert torch.cosine_similarity(narrow.logits(hidden), wide.logits(wanted)).min() > 0.99


def test_router_is_fp32(checkpoint: Callable[[str], Path]) -> None:
    model = load(checkpoint("minimax"), dtype=torch.bfloat16).model
    x_TE = torch.randn(2000, 32, generator=torch.Generator().manual_seed(0)).bfloat16()
    moe = model.layers[0].feed_forward
    record = Choices()
    with torch.no_grad():
        moe(x_TE, PackedContext([2000], record=record))
        logits = x_TE.double() @ moe.router.weight.double().T
    assert torch.equal(record.experts[0], logits.topk(2).indices)
    rounded = logits.bfloat16().topk(2).indices
    assert not torch.equal(record.experts[0], rounded)
