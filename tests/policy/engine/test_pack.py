import pytest
import torch
from torch import nn

from policy.engine.pack import PackedLinear, can_pack
from tests.policy.engine import tiny


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("inputs", "outputs", "bias"), [(48, 33, True), (576, 960, False), (1536, 576, True)])
def test_a_packed_layer_is_the_layer_and_rows_do_not_see_each_other(
    dtype: torch.dtype, inputs: int, outputs: int, bias: bool
) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(inputs, outputs, bias=bias, dtype=dtype)
    packed = PackedLinear(layer)
    x = torch.randn(37, inputs, dtype=dtype)
    with torch.inference_mode():
        y = packed(x)
        wanted = nn.functional.linear(x.double(), layer.weight.double(), layer.bias.double() if bias else None)
        torch.testing.assert_close(y.double(), wanted, atol={torch.float32: 1e-5, torch.bfloat16: 2e-2}[dtype], rtol=0)
        for n in (1, 2, 3, 8, 16):
            assert torch.equal(packed(x[:n]), y[:n])


def test_what_cannot_be_packed() -> None:
    assert can_pack(tiny.model())
    assert not can_pack(tiny.model().double())
