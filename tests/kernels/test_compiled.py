from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SHARED_OF_HOPPER = 227 * 1024


def test_kernels_compile_for_hopper_without_spilling(tmp_path):
    """The launch options are those of head dim 128 and bfloat16. Needs no GPU: ptxas comes with triton."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.kernels.compiled"], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2], env=environment | {"TRITON_CACHE_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    kernels = [line.split() for line in done.stdout.splitlines()]
    assert [name for name, _, _ in kernels] == [
        "segment_states", "segment_outputs", "scan_states", "step", "statistics", "logit_gradients",
    ]  # fmt: skip
    for name, shared, stack in kernels:
        assert int(shared) <= SHARED_OF_HOPPER, f"{name} wants {shared} bytes of shared memory"
        assert int(stack) == 0, f"{name} spills {stack} bytes of registers"
