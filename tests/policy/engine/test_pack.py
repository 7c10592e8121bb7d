import pytest
import torch
from torch import nn

from policy.engine.native import Native
from policy.engine.pack import PackedLinear


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("inputs", "outputs", "bias"),
    [(48, 33, True), (577, 49, True), (1, 1, False), (576, 960, False), (1536, 576, True)],
)
def test_a_packed_layer_is_the_layer_and_rows_do_not_see_each_other(
    dtype: torch.dtype, inputs: int, outputs: int, bias: bool
) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(inputs, outputs, bias=bias, dtype=dtype)
    packed = PackedLinear(layer, Native(dtype))
    x = torch.randn(37, inputs, dtype=dtype)
    with torch.inference_mode():
        y = packed(x)
        wanted = nn.functional.linear(x.double(), layer.weight.double(), layer.bias.double() if bias else None)
        torch.testing.assert_close(y.double(), wanted, atol={torch.float32: 1e-5, torch.bfloat16: 2e-2}[dtype], rtol=0)
        for n in range(1, 38):
            assert torch.equal(packed(x[:n]), y[:n])
            assert torch.equal(packed(x[37 - n :]), y[37 - n :])


def test_new_weights_are_taken_over_when_told() -> None:
    layer = nn.Linear(20, 50)
    packed = PackedLinear(layer, Native(torch.float32))
    x = torch.randn(3, 20)
    with torch.no_grad():
        layer.weight.mul_(2)
    assert not torch.allclose(packed(x), layer(x), atol=1e-5)
    packed.pack()
    torch.testing.assert_close(packed(x), layer(x))
