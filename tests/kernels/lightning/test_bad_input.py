from __future__ import annotations

import pytest
import torch

from kernels.lightning import lightning_attention, lightning_step
from kernels.paths import KernelInputError

X = torch.zeros(1, 6, 2, 16)
SLOPES = torch.ones(2)
STATE = torch.zeros(1, 2, 16, 16)


def cu(*bounds: int) -> torch.Tensor:
    return torch.tensor(bounds)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": X[:, 1:]}, r"must share one shape \[B,T,H,D\], got .*'k': \(1, 5, 2, 16\)"),
        (dict.fromkeys("qkv", X[0]), r"must share one shape \[B,T,H,D\]"),
        ({"v": X.half()}, "must share one floating dtype, got torch.float32, torch.float32, torch.float16"),
        (dict.fromkeys("qkv", X.int()), "must share one floating dtype"),
        ({"slopes": torch.ones(3)}, r"slopes must be float32 \[2\] for 2 heads, got torch.float32 \[3\]"),
        ({"slopes": SLOPES.double()}, "slopes must be float32"),
        ({"slopes": SLOPES.clone().requires_grad_()}, "slopes are constants"),
        ({"slopes": SLOPES.to("meta")}, "tensors lie on cpu and on meta"),
        ({"initial_state": STATE.bfloat16()}, r"state must be torch.float32 \[1, 2, 16, 16\], got torch.bfloat16"),
        ({"initial_state": STATE[:, :1]}, r"got torch.float32 \[1, 1, 16, 16\]"),
        ({"cu_seqlens": cu(0, 3, 6)}, None),
        ({"cu_seqlens": cu(0, 3, 6), "initial_state": STATE}, r"state must be torch.float32 \[2, 2, 16, 16\]"),
        ({"cu_seqlens": cu(0, 4, 3, 6)}, r"cu_seqlens must rise from 0 to T = 6, got \[0, 4, 3, 6\]"),
        ({"cu_seqlens": cu(0, 5)}, "must rise from 0 to T = 6"),
        ({"cu_seqlens": cu(1, 6)}, "must rise from 0 to T = 6"),
        ({"cu_seqlens": cu(0)}, r"cu_seqlens must be int32 or int64 \[N\+1\]"),
        ({"cu_seqlens": cu(0, 6).float()}, "cu_seqlens must be int32 or int64"),
        ({**dict.fromkeys("qkv", X.expand(2, -1, -1, -1)), "cu_seqlens": cu(0, 6)}, "wants B = 1, got B = 2"),
        ({"path": "quick"}, "there is no path 'quick'"),
    ],
)  # fmt: skip
def test_attention(change, message):
    inputs = {"q": X, "k": X, "v": X, "slopes": SLOPES} | change
    if message is None:  # the neighbour of the wrong ones is right
        lightning_attention(**inputs)
        return
    with pytest.raises(KernelInputError, match=message):
        lightning_attention(**inputs)


@pytest.mark.parametrize("D", [8, 48, 512])
def test_head_dims_that_triton_cannot_take(D, triton_device):
    x = torch.zeros(1, 2, 2, D, device=triton_device)
    slopes = SLOPES.to(triton_device)
    message = f"head dim {D}: path 'triton' takes 16, 32, 64, 128, 256; path='chunked' takes any"
    with pytest.raises(KernelInputError, match=message):
        lightning_attention(x, x, x, slopes, path="triton")
    with pytest.raises(KernelInputError, match=message):
        lightning_step(x[0], x[0], x[0], slopes, torch.zeros(2, 2, D, D, device=triton_device), path="triton")
    lightning_attention(x, x, x, slopes, path="chunked")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"slots": cu(1, 1, 2)}, r"slots must be different rows of 0..3, got \[1, 1, 2\]"),
        ({"slots": cu(1, 4, 2)}, r"different rows of 0..3"),
        ({"slots": cu(-1, 0, 2)}, r"different rows of 0..3"),
        ({"slots": cu(0, 1)}, r"slots must be int32 or int64 \[3\], got torch.int64 \[2\]"),
        ({"state": STATE.expand(2, -1, -1, -1)}, "3 sequences do not fit a state of 2 rows"),
        ({"state": torch.zeros(4, 2, 16, 16).mT}, "last two dimensions must be contiguous"),
        ({"state": torch.zeros(4, 2, 16, 16).half()}, "state must be torch.float32"),
        ({"q": torch.zeros(3, 2, 16, requires_grad=True)}, "lightning_step has no gradient"),
        ({"k": torch.zeros(3, 2, 8)}, r"must share one shape \[N,H,D\]"),
    ],
)
def test_step(change, message):
    x = torch.zeros(3, 2, 16)
    inputs = {"q": x, "k": x, "v": x, "slopes": SLOPES, "state": torch.zeros(4, 2, 16, 16)} | change
    if message is None:
        lightning_step(**inputs)
        return
    with pytest.raises(KernelInputError, match=message):
        lightning_step(**inputs)
