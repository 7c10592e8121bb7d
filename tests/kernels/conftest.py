"""Devices for kernel tests: the CPU, and with `-m gpu` a CUDA device.

Without a GPU Triton kernels run in Triton's interpreter, in this process: tests/conftest.py sets TRITON_INTERPRET
before anything can import triton. Triton's interpreter takes seconds where a GPU takes microseconds: T <= 128, D <= 32.
"""

from __future__ import annotations

import pytest
import torch

from kernels.paths import interpreted
from tests.require import unavailable


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Where a test's tensors lie."""
    if request.param == "cuda" and not torch.cuda.is_available():
        unavailable("gpu", "torch finds no CUDA device")
    return torch.device(request.param)


@pytest.fixture
def triton_device(device: torch.device) -> torch.device:
    """The same for tests of path "triton": the CPU only where the interpreter is on."""
    if device.type == "cpu" and not interpreted():
        unavailable("interpreter", "triton compiles for the GPU in this process: TRITON_INTERPRET=1 pytest runs this")
    if device.type == "cuda" and interpreted():
        unavailable("gpu", "triton's interpreter is on: unset TRITON_INTERPRET")
    return device
