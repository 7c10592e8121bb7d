import pytest
import torch

from policy.engine.native import Native
from policy.engine.pack import PackedLinear
from policy.engine.twin import repack, twin
from policy.model import PackedContext
from tests.policy.engine import tiny


@pytest.mark.parametrize("kind", ["mixed", "moe"])
def test_a_twin_follows_its_original_when_told(kind: str) -> None:
    model = tiny.model(kind)
    mirrored = twin(model, Native(torch.float32))
    ids = torch.arange(20)

    def same() -> bool:
        with torch.inference_mode():
            a, b = model(ids, PackedContext([20])), mirrored(ids, PackedContext([20]))
        return torch.allclose(a, b, atol=1e-5)

    assert same()
    assert any(isinstance(module, PackedLinear) for module in mirrored.modules())
    assert not any(isinstance(module, PackedLinear) for module in model.modules())
    model.load_state_dict(tiny.model(kind, seed=3).state_dict())
    assert not same()
    repack(mirrored)
    assert same()
    assert list(model.state_dict()) == list(tiny.model(kind).state_dict())
