"""The public operation: inputs checked, a path resolved, that path run."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from kernels.logprob.blocks import BlockedLogprobs, Blocks
from kernels.logprob.chunked import TorchBlocks
from kernels.logprob.naive import IGNORED, whole
from kernels.paths import KernelInputError, Path, resolve


def chosen_logprobs(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    temperature: float = 1.0,
    chunk_tokens: int | None = None,
    chunk_vocab: int | None = None,
    path: Path | None = None,
) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy of softmax(hidden weight^T / temperature) at the tokens that were chosen.

    Memory beside inputs, outputs and gradients, for blocks of t tokens by v of the vocabulary and b bytes an element
    of the inputs: at most 12 t v + 8 v E bytes (chunked) or b t v + 8 v E (triton; forward: 16 T for each split of the
    vocabulary), and in the backward 4 (T + t) E more. `path="naive"` holds more than 12 T V.

    Args:
        hidden: [T,E], the model's last hidden states.
        weight: [V,E], the LM head, in hidden's dtype. Products are summed in float32 (float64 for float64).
        targets: [T] int64, 0 <= target < V, or -100: log-probability and entropy are 0 and give no gradient.
        temperature: > 0; divides the logits.
        chunk_tokens, chunk_vocab: the block, t and v; None: 512 x 2048 (chunked), 8192 x 8192 (triton).
        path: see `kernels.paths`.

    Returns:
        logprobs [T] and entropy [T] in nats, float32 (float64 for float64). Both differentiable in hidden and weight.

    Raises:
        KernelInputError: shapes, dtypes, devices or values do not fit.
    """
    _check(hidden, weight, targets)
    if not 0 < temperature < math.inf:
        raise KernelInputError(f"temperature must be positive and finite, got {temperature}: greedy has no density")
    for name, size in (("chunk_tokens", chunk_tokens), ("chunk_vocab", chunk_vocab)):
        if size is not None and size < 1:
            raise KernelInputError(f"{name} must be at least 1, got {size}")
    path = resolve(path, hidden, weight, targets)
    if path == "naive":
        return whole(hidden, weight, targets, temperature)
    blocks: Callable[..., Blocks] = TorchBlocks
    if path == "triton":
        from kernels.logprob.triton_op import TritonBlocks

        blocks = TritonBlocks
        hidden, weight = (x if x.stride(-1) == 1 else x.contiguous() for x in (hidden, weight))
        targets = targets.contiguous()
    given = {"n_tokens": chunk_tokens, "n_vocab": chunk_vocab}
    sized = blocks(**{name: size for name, size in given.items() if size is not None})
    return BlockedLogprobs.apply(hidden, weight, targets, temperature, sized)  # type: ignore[no-any-return, no-untyped-call]


def _check(hidden: Tensor, weight: Tensor, targets: Tensor) -> None:
    if hidden.dim() != 2 or weight.dim() != 2 or hidden.shape[1] != weight.shape[1] or 0 in weight.shape:
        found = f"{list(hidden.shape)} and {list(weight.shape)}"
        raise KernelInputError(f"hidden must be [T,E] and weight [V,E] with V, E >= 1, got {found}")
    if hidden.dtype != weight.dtype or not hidden.is_floating_point():
        raise KernelInputError(f"hidden and weight must share one floating dtype, got {hidden.dtype}, {weight.dtype}")
    if targets.shape != hidden.shape[:1] or targets.dtype != torch.int64:
        raise KernelInputError(f"targets must be int64 [{len(hidden)}], got {targets.dtype} {list(targets.shape)}")
    V = len(weight)
    valid = ((targets >= 0) & (targets < V)) | (targets == IGNORED)
    if targets.is_cuda:
        torch._assert_async(valid.all(), f"targets must be in 0..{V - 1} or {IGNORED}")
    elif not valid.all():
        raise KernelInputError(f"targets must be in 0..{V - 1} or {IGNORED}, got {targets[~valid][0].item()}")
