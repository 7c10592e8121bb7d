"""Every path against the whole logits, in both outputs and both gradients."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from benchmarks.kernels.measure import peak_bytes
from kernels.logprob import chosen_logprobs
from kernels.paths import KernelInputError
from tests.kernels.assertions import assert_close


@dataclass(frozen=True)
class Case:
    hidden: Tensor
    weight: Tensor
    targets: Tensor
    d_logprobs: Tensor
    d_entropy: Tensor

    def to(self, dtype: torch.dtype, device: torch.device | str = "cpu") -> Case:
        moved = {name: getattr(self, name).to(device, dtype) for name in ("hidden", "weight")}
        wide = torch.promote_types(dtype, torch.float32)
        grads = {name: getattr(self, name).to(device, wide) for name in ("d_logprobs", "d_entropy")}
        return replace(self, **moved, **grads, targets=self.targets.to(device))

    def results(self, path: str, **options) -> dict[str, Tensor]:
        hidden, weight = self.hidden.clone().requires_grad_(), self.weight.clone().requires_grad_()
        logprobs, entropy = chosen_logprobs(hidden, weight, self.targets, path=path, **options)
        torch.autograd.backward([logprobs, entropy], [self.d_logprobs, self.d_entropy])
        return {"logprobs": logprobs, "entropy": entropy, "d(hidden)": hidden.grad, "d(weight)": weight.grad}


def case(T: int, E: int, V: int, *, scale: float = 1.0) -> Case:
    """Random, float64; the first and the last of the vocabulary are chosen, and some tokens are ignored."""
    g = torch.Generator().manual_seed(T + V)
    targets = torch.randint(V, (T,), generator=g)
    targets[: T // 8] = -100
    targets[-1], targets[-2 % T] = V - 1, 0
    hidden, weight = (scale * torch.randn(n, E, generator=g, dtype=torch.float64) for n in (T, V))
    return Case(hidden, weight, targets, *(torch.randn(T, generator=g, dtype=torch.float64) for _ in range(2)))


def assert_all_close(reference: dict[str, Tensor], got: dict[str, Tensor], ratio: float) -> None:
    for name, tensor in reference.items():
        assert_close(name, tensor, got[name], ratio)


def test_the_specification_is_torchs_cross_entropy_and_categorical():
    c = case(9, 5, 11)
    got = c.results("naive", temperature=0.7)
    logits = c.hidden @ c.weight.T / 0.7
    losses = torch.nn.functional.cross_entropy(logits, c.targets, reduction="none", ignore_index=-100)
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    torch.testing.assert_close(got["logprobs"], -losses)
    torch.testing.assert_close(got["entropy"], entropy.masked_fill(c.targets == -100, 0))


@pytest.mark.parametrize(("chunk_tokens", "chunk_vocab"), [(1, 1), (7, 10), (64, 61), (None, None)])
@pytest.mark.parametrize("temperature", [0.6, 1.0, 3])
def test_chunked_is_the_specification(chunk_tokens, chunk_vocab, temperature, device):
    c = case(33, 12, 61)
    sizes = {"chunk_tokens": chunk_tokens, "chunk_vocab": chunk_vocab}
    got = c.to(torch.float64, device).results("chunked", temperature=temperature, **sizes)
    assert_all_close(c.results("naive", temperature=temperature), got, 1e-12)


def test_large_logits_neither_overflow_nor_lose_the_entropy():
    c = case(16, 8, 50, scale=30)
    assert (c.hidden @ c.weight.T).max() > 5000
    assert_all_close(c.results("naive"), c.results("chunked", chunk_vocab=7), 1e-11)


@pytest.mark.parametrize("path", ["naive", "chunked"])
def test_gradcheck(path):
    c = case(5, 3, 7)
    inputs = (c.hidden.requires_grad_(), c.weight.requires_grad_())

    def operation(hidden, weight):
        return chosen_logprobs(hidden, weight, c.targets, temperature=0.8, chunk_tokens=2, chunk_vocab=3, path=path)

    assert torch.autograd.gradcheck(operation, inputs)


@pytest.mark.parametrize("path", ["naive", "chunked", "triton"])
def test_ignored_tokens_give_exactly_nothing(path, triton_device):
    c = case(32, 8, 20).to(torch.float32, triton_device)
    got = c.results(path)
    assert (got["logprobs"][:4] == 0).all()
    assert (got["entropy"][:4] == 0).all()
    assert (got["d(hidden)"][:4] == 0).all()
    kept = replace(c, **{name: getattr(c, name)[4:] for name in ("hidden", "targets", "d_logprobs", "d_entropy")})
    assert_close("d(weight)", kept.results(path)["d(weight)"], got["d(weight)"], 1e-6)


@pytest.mark.parametrize("path", ["chunked", "triton"])
def test_a_frozen_head_gets_no_gradient(path, triton_device):
    c = case(8, 8, 20).to(torch.float32, triton_device)
    hidden = c.hidden.clone().requires_grad_()
    logprobs, _ = chosen_logprobs(hidden, c.weight, c.targets, path=path)
    logprobs.sum().backward()
    reference = replace(c, d_logprobs=torch.ones_like(c.d_logprobs), d_entropy=torch.zeros_like(c.d_entropy))
    assert_close("d(hidden)", reference.results("naive")["d(hidden)"], hidden.grad, 1e-5)
    assert c.weight.grad is None


@pytest.mark.parametrize(("dtype", "ratio"), [(torch.bfloat16, 4e-3), (torch.float16, 1e-3)])
def test_half_precision_is_summed_in_float32(dtype, ratio, device):
    c = case(60, 64, 300).to(dtype)
    reference, got = c.to(torch.float64).results("naive"), c.to(dtype, device).results("chunked", chunk_vocab=100)
    assert got["logprobs"].dtype == got["entropy"].dtype == torch.float32
    assert got["d(weight)"].dtype == dtype
    for name in ("logprobs", "entropy"):
        assert_close(name, reference[name], got[name], 1e-6)
    assert_all_close(reference, got, ratio)


@pytest.mark.parametrize(("T", "E", "V"), [(1, 16, 1), (70, 40, 300), (130, 65, 129)])
def test_triton_is_the_specification(T, E, V, triton_device):
    c = case(T, E, V)
    sizes = {"temperature": 0.7, "chunk_tokens": 67, "chunk_vocab": 140}
    assert_all_close(
        c.results("naive", temperature=0.7), c.to(torch.float32, triton_device).results("triton", **sizes), 2e-5
    )


def test_triton_with_one_split_of_the_vocabulary(triton_device, monkeypatch):
    monkeypatch.setattr("kernels.logprob.triton_op._ENOUGH_PROGRAMS", 1)
    c = case(20, 16, 300)
    assert_all_close(c.results("naive"), c.to(torch.float32, triton_device).results("triton"), 2e-5)


def test_triton_far_from_zero(triton_device):
    """All logits of some rows lie below -100: what lies outside the vocabulary counts as 0 nowhere."""
    c = case(20, 16, 130)
    c = replace(c, hidden=-c.hidden.abs() * 5, weight=c.weight.abs() + 1)
    assert (c.hidden @ c.weight.T).max(1).values.min() < -100
    assert_all_close(c.results("naive"), c.to(torch.float32, triton_device).results("triton"), 5e-4)


@pytest.mark.gpu
@pytest.mark.parametrize(("dtype", "ratio"), [(torch.bfloat16, 5e-3), (torch.float16, 2e-3), (torch.float32, 1e-4)])
def test_triton_at_model_shapes(dtype, ratio, triton_device):
    c = case(3000, 576, 49152).to(dtype)
    c = replace(c, weight=c.weight / 16)
    reference = c.to(torch.float64, triton_device).results("chunked")
    assert_all_close(reference, c.to(dtype, triton_device).results("triton"), ratio)


def test_memory_stays_below_what_the_docstring_states():
    T, E, V, t, v = 1024, 32, 20000, 128, 1000
    c = case(T, E, V).to(torch.float32)

    def peak(path: str) -> int:
        return peak_bytes(lambda: c.results(path, chunk_tokens=t, chunk_vocab=v), "cpu")

    outputs = 4 * (2 * (T + V) * E + 8 * T)  # the copies that results() makes, their gradients; a few numbers a token
    stated = 12 * t * v + 8 * v * E + 4 * (T + t) * E
    assert outputs < peak("chunked") < outputs + stated
    assert peak("naive") > 12 * T * V > 10 * (outputs + stated)


GOOD = {"hidden": torch.zeros(3, 4), "weight": torch.zeros(5, 4), "targets": torch.tensor([0, 4, -100])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"hidden": torch.zeros(0, 4), "targets": torch.zeros(0, dtype=torch.int64)}, None),
        ({"hidden": torch.zeros(1, 3, 4)}, r"hidden must be \[T,E\] and weight \[V,E\].*got \[1, 3, 4\] and \[5, 4\]"),
        ({"weight": torch.zeros(5, 3)}, r"got \[3, 4\] and \[5, 3\]"),
        ({"weight": torch.zeros(0, 4)}, "V, E >= 1"),
        ({"weight": torch.zeros(5, 4).bfloat16()}, "one floating dtype, got torch.float32, torch.bfloat16"),
        ({"targets": torch.tensor([0, 4])}, r"targets must be int64 \[3\], got torch.int64 \[2\]"),
        ({"targets": torch.tensor([0, 4, 1]).int()}, "got torch.int32"),
        ({"targets": torch.tensor([0, 5, 1])}, r"targets must be in 0..4 or -100, got 5"),
        ({"targets": torch.tensor([0, -1, 1])}, r"targets must be in 0..4 or -100, got -1"),
        ({"temperature": 0.0}, "temperature must be positive and finite, got 0.0"),
        ({"temperature": float("nan")}, "got nan"),
        ({"chunk_vocab": 0}, "chunk_vocab must be at least 1, got 0"),
        ({"path": "fast"}, "there is no path 'fast'"),
    ],
)
def test_bad_input(change, message):
    if message is None:
        logprobs, entropy = chosen_logprobs(**GOOD | change)
        assert logprobs.shape == entropy.shape == (GOOD | change)["targets"].shape
        return
    with pytest.raises(KernelInputError, match=message):
        chosen_logprobs(**GOOD | change)
