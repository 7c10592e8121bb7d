"""Compiles Triton kernels for a Hopper GPU on a machine without one: python -m tests.kernels.compiled.

The interpreter takes much that the compiler refuses. Must run in a process without TRITON_INTERPRET. Prints a line for
each kernel: its name, its bytes of shared memory, and its bytes of stack, which is where registers spill to.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from kernels.lightning import triton_kernels as lightning
from kernels.logprob import triton_kernels as logprob

HOPPER = GPUTarget("cuda", 90, 32)
CUOBJDUMP = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"


def compiled(kernel, pointers: dict[str, str], constants: dict[str, object], *, floats=(), warps=4, stages=2) -> None:
    """`pointers`: what each points to. Other arguments are int32, or float32 where `floats` names them.

    Pointers and strides are taken to be divisible by 16, as Triton finds them to be in real calls.
    """
    signature, divisible = {}, {}
    for i, name in enumerate(kernel.arg_names):
        kind = "constexpr" if name in constants else "fp32" if name in floats else "i32"
        signature[name] = f"*{pointers[name]}" if name in pointers else kind
        if name in pointers or name.endswith(("_token", "_head", "_row", "_slot", "n_embed")):
            divisible[(i,)] = [["tt.divisibility", 16]]
    values = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(kernel, signature, constexprs=values, attrs=divisible)
    built = triton.compile(source, target=HOPPER, options={"num_warps": warps, "num_stages": stages})
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(built.asm["cubin"])
        file.flush()
        usage = subprocess.run([CUOBJDUMP, "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
    print(kernel.fn.__name__, built.metadata.shared, re.findall(r"STACK:(\d+)", usage)[-1], flush=True)


def main() -> None:
    half, wide, where = "bf16", "fp32", "i32"
    cut = {"slopes": wide, "states": wide, "cu_seqlens": where, "segment_sequence": where, "segment_offsets": where}
    head = {"HEADS": 64, "DIM": 128}
    tile = head | {"CHUNK": 64, "BLOCK_V": 64, "REVERSE": True, "PRECISION": "tf32"}
    compiled(lightning.segment_states, cut | {"k": half, "v": half}, tile, warps=8)
    compiled(lightning.segment_outputs, cut | dict.fromkeys("qkvo", half), tile, warps=8)
    scanned = cut | {"initial": wide, "final": wide}
    compiled(lightning.scan_states, scanned, head | {"BLOCK": 1024})
    stepped = dict.fromkeys("qkvo", half) | {"slopes": wide, "state": wide, "slots": "i64"}
    compiled(lightning.step, stepped, head | {"BLOCK_V": 32, "HAS_SLOTS": True})

    block = {"BLOCK_T": 64, "BLOCK_V": 128, "BLOCK_E": 64, "PRECISION": "tf32"}
    rows = {"hidden": half, "weight": half, "targets": "i64"}
    temperature = ("inverse_temperature",)
    found = dict.fromkeys(("top_out", "total_out", "moment_out", "chosen_out"), wide)
    compiled(logprob.statistics, rows | found, block, floats=temperature, warps=8, stages=3)
    given = dict.fromkeys(("lse", "mean", "d_logprob", "d_entropy"), wide) | {"out": half}
    compiled(logprob.logit_gradients, rows | given, block, floats=temperature, warps=8, stages=3)


if __name__ == "__main__":
    main()
