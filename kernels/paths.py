"""Which implementation of an operation runs: the specification, torch in chunks, or Triton.

Every public operation takes `path`. None means Triton on CUDA and chunked torch elsewhere; whatever the choice cannot
take is an error and never a reason to run something else.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

Path = Literal["naive", "chunked", "triton"]
"""naive: the specification, few lines of torch. chunked: torch on any device. triton: CUDA, or its interpreter."""

_TRITON_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


class KernelInputError(ValueError):
    """An operation was given what it cannot take; the message says what was found and what is allowed."""


def resolve(path: Path | None, tensor: Tensor, *others: Tensor | None) -> Path:
    """The path that will run, for `tensor` and the `others`, which must lie on its device. None among them is skipped.

    Refuses Triton for tensors that no GPU holds, unless Triton's interpreter is on (TRITON_INTERPRET=1 when triton is
    first imported), and bfloat16 under the interpreter, where it is silently wrong.
    """
    if path is not None and path not in get_args(Path):
        raise KernelInputError(f"there is no path {path!r}: choose one of {', '.join(get_args(Path))}, or None")
    tensors = [tensor, *(other for other in others if other is not None)]
    if strays := {str(other.device) for other in tensors} - {str(tensor.device)}:
        raise KernelInputError(f"tensors lie on {tensor.device} and on {', '.join(sorted(strays))}: move them to one")
    path = path or ("triton" if tensor.is_cuda else "chunked")
    if path == "triton":
        _check_triton(tensors)
    return path


def interpreted() -> bool:
    """Whether Triton kernels run in its interpreter, on the CPU, in this process. Needs triton.

    Asked of triton's own library and not of the environment, because the flag counts when a kernel is decorated: one
    that is set after triton's import changes nothing for `tl.sum` and the like.
    """
    import triton
    import triton.language as tl

    return not isinstance(tl.sum, triton.JITFunction)


def _check_triton(tensors: list[Tensor]) -> None:
    for tensor in tensors:
        if tensor.is_floating_point() and tensor.dtype not in _TRITON_DTYPES:
            raise KernelInputError(f"path 'triton' takes float32, float16 and bfloat16, not {tensor.dtype}: "
                                   "cast, or pass path='chunked'")  # fmt: skip
    try:
        on_cpu = interpreted()
    except ImportError as error:
        raise KernelInputError(
            f"path 'triton' needs the package triton ({error}): install it, or pass path='chunked'"
        ) from None
    if not on_cpu and not tensors[0].is_cuda:
        raise KernelInputError(
            f"path 'triton' needs CUDA tensors, these lie on {tensors[0].device}: move them, pass path='chunked', "
            "or set TRITON_INTERPRET=1 before triton is imported"
        )
    if on_cpu and any(tensor.dtype == torch.bfloat16 for tensor in tensors):
        raise KernelInputError("bfloat16 is silently wrong under TRITON_INTERPRET=1: cast to float32 or float16")
