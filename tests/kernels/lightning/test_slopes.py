from __future__ import annotations

import itertools

import pytest
import torch

from kernels.lightning import decay_slopes
from kernels.paths import KernelInputError


@pytest.mark.parametrize("n_heads", [1, 4, 8, 16, 64])
def test_the_first_layer_is_the_geometric_table(n_heads):
    table = torch.tensor([2 ** (-8 * (head + 1) / n_heads) for head in range(n_heads)])
    torch.testing.assert_close(decay_slopes(n_heads, 0, 80), table * (1 + 1e-5), rtol=1e-6, atol=0)


def test_64_heads_as_minimax_has_them():
    slopes = decay_slopes(64, 0, 80)
    assert slopes[0].item() == pytest.approx(0.917, abs=1e-3)
    assert slopes[-1].item() == pytest.approx(0.0039, abs=1e-4)
    assert slopes.dtype == torch.float32


def test_later_layers_forget_less_and_the_last_hardly():
    by_layer = [decay_slopes(8, layer, 80) for layer in range(80)]
    assert all((later < earlier).all() for earlier, later in itertools.pairwise(by_layer))
    assert 0 < by_layer[-1].max() < 2e-5


@pytest.mark.parametrize("n_heads", [0, 3, 12])
def test_heads_that_are_no_power_of_two(n_heads):
    with pytest.raises(KernelInputError, match=f"{n_heads} heads: .* a power of two"):
        decay_slopes(n_heads, 0, 8)


@pytest.mark.parametrize("layer", [-1, 8])
def test_a_layer_outside_the_model(layer):
    with pytest.raises(KernelInputError, match=f"layer {layer} of 8"):
        decay_slopes(8, layer, 8)
