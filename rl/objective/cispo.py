"""The policy-gradient loss: CISPO, and PPO-clip, GRPO, DAPO and REINFORCE as other settings of the same form.

Flat tensors, one entry a token, of whatever samples a microbatch holds. It knows no model, no reward and no batch: what
the loss is divided by comes from `denominator.py`, the advantages from `advantage.py`.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor

from rl.frozen import Frozen
from rl.objective.denominator import Denominator

# T tokens

Kind = Literal["cispo", "ppo", "grpo", "dapo", "reinforce"]

_CLIPPED = {"w_max": math.inf, "trust_low": 0.2, "trust_high": 0.2}
_PRESETS: dict[str, dict[str, Any]] = {
    "cispo": {},
    "ppo": {**_CLIPPED, "denominator": "global_tokens"},
    "grpo": {**_CLIPPED, "denominator": "rollout_mean"},
    "dapo": {**_CLIPPED, "trust_high": 0.28},
    "reinforce": {"importance": False, "w_max": math.inf, "denominator": "global_tokens"},
}

_LOG_RATIO_MAX = 20.0
"""Nats. Beyond it a ratio says nothing but that something is broken, and exp would overflow."""


class ObjectiveConfig(Frozen):
    """The loss. A kind sets what is not set beside it; the defaults shown are cispo's."""

    kind: Kind = "cispo"
    """cispo (MiniMax-M1, arXiv 2506.13585, eq. 4-5), or a peer in the unified form of M1 eq. 6, whose gradient is the
    peer's: ppo (arXiv 1707.06347), grpo (2402.03300, without its KL term), dapo (2503.14476), reinforce."""
    w_max: float = Field(default=5.0, ge=1)
    """Highest importance weight, absolute: 1 + epsilon_high of M1 eq. 5. There is no lowest."""
    importance: bool = True
    """Weight tokens by the importance ratio; without it, samples of old versions count as if they were fresh."""
    trust_low: float | None = Field(default=None, gt=0, le=1)
    """M1 eq. 7: tokens of negative advantage give none where their ratio is under 1 - trust_low. None: all do."""
    trust_high: float | None = Field(default=None, gt=0)
    """M1 eq. 7: tokens of positive advantage give none where their ratio is over 1 + trust_high. None: all do."""
    denominator: Denominator = "group_tokens"
    """What the sum over tokens is divided by. group_tokens: a group's, then the mean over groups (M1 eq. 4).
    global_tokens: the batch's. rollout_mean: a rollout's, then means over rollouts and groups. rollout_token_mix: some
    of rollout_mean, the rest of group_tokens (M1 section 5)."""
    mix: float = Field(default=0.5, ge=0, le=1)
    """Part of rollout_mean in the denominator rollout_token_mix."""

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, data: Any) -> Any:
        if isinstance(data, dict) and (preset := _PRESETS.get(str(data.get("kind", "cispo")))):
            return preset | data
        return data


class PolicyGradient(NamedTuple):
    loss: Tensor
    """Scalar; the losses of a batch's microbatches add up to the batch's."""
    ratio_T: Tensor
    """Importance ratios, without gradient; 1 where nothing trains."""
    weight_T: Tensor
    """What stood before advantage x logprob, without gradient: the ratio, capped and masked; 0 where nothing trains."""


def policy_gradient(
    trainer_logprobs_T: Tensor,
    sampler_logprobs_T: Tensor,
    advantages_T: Tensor,
    scales_T: Tensor,
    mask_T: Tensor,
    config: ObjectiveConfig,
) -> PolicyGradient:
    """-sum(M sg(min(r, w_max)) A log pi / denominator) (M1 eq. 4-6), r = exp(trainer_logprobs - sampler_logprobs).

    No gradient flows through r: a token over the cap still trains, with the cap as its weight, where PPO would drop it.
    The anchor of r are the logprobs recorded at sampling, so it covers staleness and mismatch alike.

    Args:
        trainer_logprobs_T: float32 or float64, [T]; the gradient goes here.
        sampler_logprobs_T: [T]; anything where the mask is False.
        advantages_T: [T].
        scales_T: [T], 1 / denominator: `sample_scales`, of the whole batch, taken at each token's sample.
        mask_T: bool [T], the loss mask.

    Raises:
        ValueError: shapes or dtypes do not fit.
    """
    given = {"sampler_logprobs": sampler_logprobs_T, "advantages": advantages_T, "scales": scales_T, "mask": mask_T}
    for name, tensor in given.items():
        if tensor.shape != trainer_logprobs_T.shape:
            raise ValueError(f"{name}: found shape {list(tensor.shape)}, wanted {list(trainer_logprobs_T.shape)}")
    if trainer_logprobs_T.dtype not in (torch.float32, torch.float64) or mask_T.dtype != torch.bool:
        found = f"{trainer_logprobs_T.dtype} logprobs and {mask_T.dtype} mask"
        raise ValueError(f"found {found}, wanted float32 or float64 and bool: small differences of logprobs matter")
    # what lies outside the mask may be anything, NaN included, and must not reach the gradient
    logprobs_T = trainer_logprobs_T.where(mask_T, 0)
    log_ratio_T = (logprobs_T - sampler_logprobs_T).detach().where(mask_T, 0)
    ratio_T = log_ratio_T.clamp(-_LOG_RATIO_MAX, _LOG_RATIO_MAX).exp()
    weight_T = ratio_T.clamp(max=config.w_max) if config.importance else torch.ones_like(ratio_T)
    weight_T = weight_T * (mask_T & _trusted(ratio_T, advantages_T, config))
    loss = -(weight_T * advantages_T.where(mask_T, 0) * scales_T.where(mask_T, 0) * logprobs_T).sum()
    return PolicyGradient(loss, ratio_T, weight_T)


def _trusted(ratio_T: Tensor, advantages_T: Tensor, config: ObjectiveConfig) -> Tensor:
    """M of M1 eq. 7: True where PPO's trust region lets the gradient pass."""
    trusted_T = torch.ones_like(ratio_T, dtype=torch.bool)
    if config.trust_high is not None:
        trusted_T &= (advantages_T <= 0) | (ratio_T <= 1 + config.trust_high)
    if config.trust_low is not None:
        trusted_T &= (advantages_T >= 0) | (ratio_T >= 1 - config.trust_low)
    return trusted_T
