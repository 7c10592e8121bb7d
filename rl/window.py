"""How many tokens a rollout may sample, stage by stage (MiniMax-M1, arXiv 2506.13585, section 5: 40k to 80k).

A pure function from one state to the next; it knows no engine and no trajectory. Who calls it logs a changed stage.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import linear_regression
from typing import Self

from pydantic import Field, model_validator

from rl.frozen import Frozen


class WindowConfig(Frozen):
    """The next window opens when perplexity has settled and rollouts fill this one, several steps in a row."""

    windows_tokens: tuple[int, ...] = Field(min_length=1)
    """Most sampled tokens of a rollout in each stage, rising."""
    history_steps: int = Field(default=20, ge=2)
    """Train steps over which perplexity's slope is fitted, by least squares; after a switch they are gathered anew."""
    slope_max: float = Field(default=0.002, gt=0)
    """Perplexity has settled where log perplexity moves less than this a step, in nats, up or down: late in a window
    a rise means that the tails of long rollouts decay."""
    full_share: float = Field(default=0.95, gt=0, le=1)
    """Rollouts fill the window where their 99th percentile of length is at least this part of it."""
    patience_steps: int = Field(default=3, gt=0)
    """Steps in a row in which both must hold."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.windows_tokens[0] <= 0 or any(b <= a for a, b in pairwise(self.windows_tokens)):
            raise ValueError(f"windows_tokens: found {list(self.windows_tokens)}, wanted positive numbers that rise")
        return self


class WindowState(Frozen):
    """Where a run stands."""

    stage: int = 0
    """Index into windows_tokens."""
    held_steps: int = 0
    """Steps in a row in which both conditions have held."""
    log_perplexities: tuple[float, ...] = ()
    """Nats, of the last steps of this stage, newest last."""

    def window_tokens(self, config: WindowConfig) -> int:
        return config.windows_tokens[self.stage]


def advance(state: WindowState, log_perplexity: float, p99_tokens: float, config: WindowConfig) -> WindowState:
    """The state after one more train step.

    log_perplexity: nats, the mean of -sampler_logprobs over the step's tokens. p99_tokens: of its rollouts' lengths.
    """
    history = (*state.log_perplexities, log_perplexity)[-config.history_steps :]
    settled = (
        len(history) == config.history_steps
        and abs(linear_regression(range(len(history)), history).slope) <= config.slope_max
    )
    full = p99_tokens >= config.full_share * state.window_tokens(config)
    held = state.held_steps + 1 if settled and full else 0
    if held >= config.patience_steps and state.stage + 1 < len(config.windows_tokens):
        return WindowState(stage=state.stage + 1)
    return WindowState(stage=state.stage, held_steps=held, log_perplexities=history)
