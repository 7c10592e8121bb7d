"""The engine's own kernels for a CPU, `cpp/`: linear layers, attention over pages, RMS norm, SwiGLU.

torch has no attention that reads many requests' pages in one call; a call a request and layer spends more on calling
than on reading. Its linear layers read weights at two thirds of the memory's speed where rows are few, and a row's sums
depend on how many there are. They are compiled at first use and kept in the user's cache folder,
a file for each source, compiler and kind of CPU.
They bring threads of their own, as many as torch has: those of OpenMP fall asleep between two calls.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from ctypes import c_float, c_int, c_int64, c_void_p
from functools import cache
from hashlib import blake2b
from pathlib import Path

import torch
from torch import Tensor

from policy.model.rope import Rotation

# T tokens, N requests, H query heads, K kv heads, D head dim, P pages, R rows, I inputs, O outputs

_SOURCES = Path(__file__).with_name("cpp")
_SOURCE = _SOURCES / "kernels.cpp"
_FLAGS = ("-std=c++17", "-O3", "-march=native", "-pthread", "-fPIC", "-shared", "-Wno-psabi")
_PANEL = 48
"""Outputs of a panel of weights; P of cpp/kernels.cpp."""
_DTYPES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
_SIGNATURES: dict[str, list[type]] = {
    "attend": [
        *[c_void_p, c_int64] * 3,
        *[c_void_p] * 2,
        c_int64,
        *[c_void_p] * 3,
        c_int64,
        *[c_void_p] * 3,
        *[c_int64] * 5,
        c_float,
        c_int,
    ],
    "rms_norm": [*[c_void_p] * 3, *[c_int64] * 2, c_float, c_int],
    "swiglu": [*[c_void_p] * 2, *[c_int64] * 2, c_int],
    "linear": [*[c_void_p] * 4, *[c_int64] * 3, c_int],
}


class NativeError(Exception):
    """The kernels cannot be had here; the text says why, and what would help."""


def can_run(tensor: Tensor) -> bool:
    """Whether they are for tensors like this one."""
    return tensor.device.type == "cpu" and tensor.dtype in _DTYPES


class Native:
    """The kernels of one dtype. Tensors are contiguous where nothing else is said; every result is a new tensor."""

    def __init__(self, dtype: torch.dtype) -> None:
        """Compiles them if nobody has. Raises NativeError."""
        library = _library()
        self._attend, self._rms_norm, self._swiglu, self._linear = (
            getattr(library, f"{name}_{_DTYPES[dtype]}") for name in _SIGNATURES
        )

    def attend(
        self,
        q_THD: Tensor,
        k_TKD: Tensor,
        v_TKD: Tensor,
        rotation: Rotation,
        k_cache: Tensor,
        v_cache: Tensor,
        tables: Tensor,
        requests_T: Tensor,
        lengths_T: Tensor,
        page: int,
        scale: float,
    ) -> Tensor:
        """Causal attention of a step's new tokens, decoded and prefilled alike -> [T, H, D].

        Token t is the last of the first lengths_T[t] of request requests_T[t], whose pages are tables[request], and
        sees them all. Queries and keys are turned here, keys and values written into the caches. q, k, v: heads beside
        one another, any stride between tokens. Caches [P * page, K, D]; tables int32 [N, width], the others int32.
        """
        T, H, D = q_THD.shape
        out_THD = torch.empty((T, H, D), dtype=q_THD.dtype)
        cos, sin = rotation.cos_TR, rotation.sin_TR
        rows = [value for x in (q_THD, k_TKD, v_TKD) for value in (x.data_ptr(), x.stride(0))]
        self._attend(
            *rows,
            cos.data_ptr(),
            sin.data_ptr(),
            cos.shape[-1],
            k_cache.data_ptr(),
            v_cache.data_ptr(),
            tables.data_ptr(),
            tables.shape[1],
            requests_T.data_ptr(),
            lengths_T.data_ptr(),
            out_THD.data_ptr(),
            *(T, H, k_cache.shape[1], D, page, scale, torch.get_num_threads()),
        )
        return out_THD

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """[..., E], rounded once at the end."""
        x = x.contiguous()
        y = torch.empty_like(x)
        E = x.shape[-1]
        self._rms_norm(x.data_ptr(), weight.data_ptr(), y.data_ptr(), x.numel() // E, E, eps, torch.get_num_threads())
        return y

    def swiglu(self, gate_up: Tensor) -> Tensor:
        """[R, 2F], gate before up -> silu(gate) * up, [R, F]; in bf16 the SiLU is rounded too, as torch's is."""
        R, F = gate_up.shape[0], gate_up.shape[1] // 2
        y = torch.empty((R, F), dtype=gate_up.dtype)
        self._swiglu(gate_up.data_ptr(), y.data_ptr(), R, F, torch.get_num_threads())
        return y

    def linear(self, x: Tensor, panels: Tensor, bias_O: Tensor | None, outputs: int) -> Tensor:
        """[R, I] times W^T + b -> [R, O], weights as `to_panels` lays them; summed in fp32, rounded once.

        A row's result is the same to the bit whatever rows are beside it.
        """
        x = x.contiguous()
        y = torch.empty((len(x), outputs), dtype=x.dtype)
        bias = None if bias_O is None else bias_O.data_ptr()
        sizes = (*x.shape, outputs, torch.get_num_threads())
        self._linear(x.data_ptr(), panels.data_ptr(), bias, y.data_ptr(), *sizes)
        return y


def to_panels(weight_OI: Tensor) -> Tensor:
    """[O, I] -> panels of 48 outputs; in a panel an input's weights lie together, in bf16 those of two, pair by pair.

    Zeros fill what there is not. Panels [O / 48, I / step, 48, step].
    """
    outputs, inputs = weight_OI.shape
    step = 1 if weight_OI.dtype == torch.float32 else 2
    n_panels, n_steps = -(-outputs // _PANEL), -(-inputs // step)
    padded = weight_OI.new_zeros((n_panels * _PANEL, n_steps * step))
    padded[:outputs, :inputs] = weight_OI
    return padded.view(n_panels, _PANEL, n_steps, step).transpose(1, 2).contiguous()


@cache
def _library() -> ctypes.CDLL:
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    if shutil.which(compiler[0]) is None:
        raise NativeError(f"there is no C++ compiler {compiler[0]!r}: install one (apt-get install g++), or set CXX")
    # the macros name the compiler, its version and all that this CPU can do
    macros = _run([*compiler, "-march=native", "-dM", "-E", "-x", "c++", os.devnull])
    sources = b"".join(file.read_bytes() for file in sorted(_SOURCES.iterdir()))
    key = blake2b(repr((_FLAGS, compiler, macros)).encode() + sources, digest_size=8).hexdigest()
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "agentgym", "native")
    path = folder / f"{platform.machine()}-{key}.so"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                made = Path(scratch, "native.so")
                _run([*compiler, *_FLAGS, str(_SOURCE), "-o", str(made)])
                # whole or not at all, however many processes compile at once
                made.replace(path)
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeError(f"the compiled kernels cannot be kept or loaded: {error}") from error
    for name, types in _SIGNATURES.items():
        for suffix in _DTYPES.values():
            function = getattr(library, f"{name}_{suffix}")
            function.argtypes, function.restype = types, None
    return library


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        said = (done.stderr.strip() or "nothing").splitlines()[0]
        raise NativeError(f"`{shlex.join(command)}` failed: {said}")
    return done.stdout
