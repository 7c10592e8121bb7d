"""Rotary positions: the first `rotary_dim` dims of a head turn, dim i together with dim i + rotary_dim / 2."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from policy.config import RopeConfig


@dataclass(frozen=True)
class Rotation:
    """The turn of each token of one forward; every layer shares it."""

    cos_TR: Tensor
    """[T, 1, R], fp32, or fp64 in an fp64 model."""
    sin_TR: Tensor
    """[T, 1, R], the first half negated."""

    def __call__(self, x: Tensor) -> Tensor:
        """x [T, heads, D], D >= R; the dims from R on pass unchanged. Turned in cos' precision, dtype kept."""
        R = self.cos_TR.shape[-1]
        turning = (x if x.shape[-1] == R else x[..., :R]).to(self.cos_TR.dtype)
        turned = (turning * self.cos_TR).addcmul(turning.roll(R // 2, -1), self.sin_TR).to(x.dtype)
        return turned if x.shape[-1] == R else torch.cat((turned, x[..., R:]), -1)


def rotation(positions_T: Tensor, rope: RopeConfig, dtype: torch.dtype) -> Rotation:
    """For positions [T] and a model whose activations are of `dtype`.

    Angles are fp32 always, as in every implementation that a checkpoint was trained with.
    """
    angles_TR = positions_T.to(torch.float32)[:, None] * _frequencies(rope.theta, rope.rotary_dim, positions_T.device)
    wide = torch.promote_types(dtype, torch.float32)
    cos, sin = angles_TR.cos().to(wide), angles_TR.sin().to(wide)
    return Rotation(torch.cat((cos, cos), -1)[:, None], torch.cat((-sin, sin), -1)[:, None])


# outside the module: a buffer would be rounded by model.to(bfloat16) and lost by a meta device
@lru_cache(maxsize=64)
def _frequencies(theta: float, rotary_dim: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        exponents = torch.arange(0, rotary_dim, 2, dtype=torch.float32, device=device) / rotary_dim
        return 1.0 / theta**exponents
