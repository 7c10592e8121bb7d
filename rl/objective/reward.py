"""What a rollout is worth, call by call: the verifier's reward, and terms for its length, its manners, its speed and
how it kept to its checklist.

The terms shape training alone: the trajectory's own reward stays the verifier's. Rollouts are not compared here.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, model_validator

from rl.frozen import Frozen


class OverlongConfig(Frozen):
    """DAPO's soft punishment (arXiv 2503.14476, eq. 13): nothing, then a slope, then -1."""

    max_tokens: int = Field(gt=0)
    """Sampled tokens of a rollout from which the penalty is whole."""
    buffer_tokens: int = Field(gt=0)
    """The slope begins this many tokens before."""

    @model_validator(mode="after")
    def _fits(self) -> OverlongConfig:
        if self.buffer_tokens > self.max_tokens:
            raise ValueError(f"buffer_tokens {self.buffer_tokens} is more than max_tokens {self.max_tokens}")
        return self


class RewardConfig(Frozen):
    """The composite reward of MiniMax-M2 (arXiv 2605.26494): alpha r_process + beta r_speed + r_perf."""

    process_weight: float = Field(default=0.0, ge=0)
    """alpha: factor on what each call itself earned or lost, malformed tool calls for instance."""
    speed_weight: float = Field(default=0.0, ge=0)
    """beta: factor on speed, for rollouts of positive reward: failing quickly earns nothing."""
    compliance_weight: float = Field(default=0.0, ge=0)
    """Factor on the share of the task's checklist that was kept to (CSR), as programs decide it; 0: nobody looks. It is
    a channel of its own: the verifier's reward says nothing of it."""
    overlong: OverlongConfig | None = None
    """Penalty for length. None: there is none."""


def call_rewards(
    reward: float,
    process: Sequence[float],
    config: RewardConfig,
    *,
    n_tokens: int = 0,
    compliance: float | None = None,
    completion_s: float | None = None,
    baseline_s: float | None = None,
) -> list[float]:
    """One reward for each model call of a rollout, in order; the verifier's falls to the last.

    process has a number for each call (zeros where nobody counts); n_tokens are all that were sampled; compliance is
    in [0, 1], None where the task has no checklist; completion_s and baseline_s are the rollout's duration and what is
    usual for the task, None where unknown. ValueError: there is no call.
    """
    if not process:
        raise ValueError("found a rollout without a model call, wanted at least 1: nothing in it can be trained")
    rewards = [config.process_weight * each for each in process]
    rewards[-1] += reward
    if compliance is not None:
        rewards[-1] += config.compliance_weight * compliance
    if config.overlong is not None:
        rewards[-1] += overlong_penalty(n_tokens, config.overlong)
    if reward > 0 and completion_s is not None and baseline_s is not None:
        rewards[-1] += config.speed_weight * speed(completion_s, baseline_s)
    return rewards


def overlong_penalty(n_tokens: int, config: OverlongConfig) -> float:
    """In [-1, 0]."""
    return -min(1.0, max(0.0, (n_tokens - config.max_tokens + config.buffer_tokens) / config.buffer_tokens))


def speed(completion_s: float, baseline_s: float) -> float:
    """h of M2's r_speed, unpublished but for its falling: here (baseline - completion) / (baseline + completion).

    In [-1, 1]; 0 at the baseline, 1/3 at half of its time, -1/3 at twice. 0 where both are 0.
    """
    total_s = baseline_s + completion_s
    return (baseline_s - completion_s) / total_s if total_s else 0.0
