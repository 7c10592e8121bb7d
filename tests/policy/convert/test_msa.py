"""Softmax checkpoints into block-sparse ones: exact where they must be, and taught without touching the rest."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from policy.config import ConfigError, MSAConfig, PolicyConfig
from policy.convert import perplexity, warm_up, with_msa
from policy.model import Decoder, PackedContext

MSA = MSAConfig(index_dim=16, block_size=16, top_k=3)
EXACT = 48


def teacher(seed: int = 0, **options: Any) -> Decoder:
    torch.manual_seed(seed)
    sizes = {"vocab_size": 61, "embed_dim": 32, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "ffn_dim": 48}
    rest = {"max_context": 512, "layers": [{}, {}], "rope": {"theta": 1e4, "rotary_dim": 16}, "norm_eps": 1e-5}
    model = Decoder(PolicyConfig.of(sizes | rest | options), dtype=torch.float64)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def text(n_tokens: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(61, (n_tokens,), generator=torch.Generator().manual_seed(seed))


def logits(model: Decoder, tokens_T: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(model(tokens_T, PackedContext([len(tokens_T)])))


@pytest.mark.parametrize("options", [{}, {"qk_norm": "head"}, {"qk_norm": "projection"}, {"qkv_bias": True}], ids=str)
def test_nothing_changes_while_every_block_is_picked(options: dict[str, Any]) -> None:
    model = teacher(**options)
    student = with_msa(model, MSA)
    short, longer = text(EXACT), text(EXACT + 17)
    torch.testing.assert_close(logits(student, short), logits(model, short), rtol=0, atol=1e-9)
    beyond = (logits(student, longer) - logits(model, longer)).abs()
    assert beyond[:EXACT].max() < 1e-9
    assert beyond[EXACT:].max() > 1e-6, "four blocks, of which a query picks three"


def test_only_the_layers_named() -> None:
    student = with_msa(teacher(), MSA, layers=[1])
    assert [layer.mixer for layer in student.config.layers] == ["softmax", "msa"]


def test_main_weights_are_shared() -> None:
    model = teacher()
    student = with_msa(model, MSA)
    assert student.embedding.weight.data_ptr() == model.embedding.weight.data_ptr()


def test_the_index_starts_from_the_heads() -> None:
    """A score is the mean of its group's queries against the mean of the keys: linear, so before and after RoPE."""
    model = teacher()
    student = with_msa(model, MSA)
    qkv = model.get_parameter("layers.0.mixer.qkv.proj.weight").view(8, 16, 32)
    index = student.get_parameter("layers.0.mixer.index.proj.weight").view(3, 16, 32)
    torch.testing.assert_close(index[0], qkv[:2].mean(0))
    torch.testing.assert_close(index[1], qkv[2:4].mean(0))
    torch.testing.assert_close(index[2], qkv[4:6].mean(0))


def test_warm_up_teaches_the_index_alone() -> None:
    student = with_msa(teacher(), MSA)
    before = {name: weight.clone() for name, weight in student.state_dict().items()}
    wanted = {name: parameter.requires_grad for name, parameter in student.named_parameters()}
    losses = list(warm_up(student, text(400), window=96, n_steps=30, windows_per_step=2, learning_rate=1e-2))
    assert len(losses) == 30
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    changed = {name for name, weight in student.state_dict().items() if not torch.equal(weight, before[name])}
    assert changed == {f"layers.{i}.mixer.index.proj.weight" for i in range(2)}
    assert {name: parameter.requires_grad for name, parameter in student.named_parameters()} == wanted


def test_perplexity_is_what_its_name_says() -> None:
    model, tokens_T = teacher(), text(50)
    nll = []
    for window_T in (tokens_T[:20], tokens_T[20:40]):
        logprobs_TV = logits(model, window_T).log_softmax(-1)
        nll.append(-logprobs_TV[:-1].gather(1, window_T[1:, None]))
    assert perplexity(model, tokens_T, window=20) == pytest.approx(torch.cat(nll).mean().exp().item(), rel=1e-5)


@pytest.mark.parametrize(
    ("msa", "layers", "said"),
    [
        (MSAConfig(index_dim=8, block_size=16, top_k=3), None, "index_dim is 8, wanted head_dim 16"),
        (MSA, [5], r"layers \[5\] are no softmax layers; those are \[0, 1\]"),
        (MSA, [], "no softmax layer to convert"),
    ],
)
def test_what_cannot_be_converted(msa: MSAConfig, layers: list[int] | None, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        with_msa(teacher(), msa, layers)


def test_too_little_text() -> None:
    student = with_msa(teacher(), MSA)
    with pytest.raises(ValueError, match="found 10 tokens of text, wanted at least one window of 96"):
        next(warm_up(student, text(10), window=96, n_steps=1))
    with pytest.raises(ValueError, match="found 10 tokens, wanted one window of 96"):
        perplexity(student, text(10), window=96)
    with pytest.raises(ConfigError, match="no MSA layer"):
        next(warm_up(teacher(), text(400), window=96, n_steps=1))
