from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from kernels.paths import KernelInputError, resolve
from tests.kernels.assertions import assert_close

ONE = torch.ones(1)


def in_a_process(code: str, **environment: str) -> str:
    """What a fresh Python prints: the flag counts at triton's import, which this process has behind it."""
    command = [sys.executable, "-c", code]
    clean = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    return subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=True).stdout.strip()


def test_the_default_is_triton_on_a_gpu_and_chunked_elsewhere(triton_device):
    assert resolve(None, ONE.to(triton_device)) == ("triton" if triton_device.type == "cuda" else "chunked")


@pytest.mark.parametrize("path", ["naive", "chunked"])
def test_a_named_path_is_kept(path):
    assert resolve(path, ONE, None, ONE.double()) == path


def test_an_unknown_path_names_the_known():
    with pytest.raises(KernelInputError, match="no path 'fast': choose one of naive, chunked, triton"):
        resolve("fast", ONE)


def test_tensors_on_two_devices():
    with pytest.raises(KernelInputError, match="lie on cpu and on meta"):
        resolve(None, ONE, torch.ones(1, device="meta"))


def test_triton_takes_no_float64():
    with pytest.raises(KernelInputError, match=r"not torch.float64: cast, or pass path='chunked'"):
        resolve("triton", ONE.double())


@pytest.mark.usefixtures("triton_device")
def test_bfloat16_is_refused_under_the_interpreter():
    if torch.cuda.is_available():
        pytest.skip("compiled here")
    with pytest.raises(KernelInputError, match="bfloat16 is silently wrong under TRITON_INTERPRET=1"):
        resolve("triton", ONE, ONE.bfloat16())


RESOLVE = """
import torch, triton, os
os.environ["TRITON_INTERPRET"] = "{late}"
from kernels.paths import resolve
try: print(resolve("triton", torch.ones(1)))
except ValueError as error: print(error)
"""


@pytest.mark.parametrize("late", ["0", "1"])
def test_triton_on_the_cpu_wants_the_interpreter_from_the_start(late):
    assert "path 'triton' needs CUDA tensors, these lie on cpu" in in_a_process(RESOLVE.format(late=late))
    assert in_a_process(RESOLVE.format(late=late), TRITON_INTERPRET="1") == "triton"


def test_without_triton_the_error_says_so():
    code = f"import sys; sys.modules['triton'] = None{RESOLVE.replace(', triton', '').format(late=0)}"
    assert "path 'triton' needs the package triton" in in_a_process(code)


def test_importing_kernels_loads_no_torch():
    assert in_a_process("import sys, kernels; print('torch' in sys.modules)") == "False"


def test_assert_close_can_fail():
    assert_close("x", ONE, ONE * (1 + 1e-4), 1e-3)
    for reference, got in [
        (ONE, ONE * (1 + 1e-2)),
        (ONE, ONE * float("nan")),
        (ONE, torch.ones(2)),
        (ONE, None),
        (ONE * 0, ONE * 1e-9),
    ]:
        with pytest.raises(AssertionError, match="x: "):
            assert_close("x", reference, got, 1e-3)
