"""How an engine is sized, and how one request is sampled. No tokenizer here: stops are ids, or a function of ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:
        for key in data if isinstance(data, dict) else ():
            if key not in cls.model_fields:
                close = get_close_matches(str(key), list(cls.model_fields), n=1)
                hint = f' (nearest known field: "{close[0]}")' if close else ""
                raise ValueError(f'{cls.__name__} has no field "{key}"{hint}')
        return data


class EngineConfig(_Frozen):
    cache_tokens: int = Field(default=16384, gt=0)
    """Tokens that all requests together may keep in pages; rounded down to whole pages."""
    page_tokens: int | None = Field(default=None, gt=0)
    """Tokens of a page. None: 32, or the block of the model's MSA layers, which then is the only size possible."""
    window_tokens: int | None = Field(default=None, gt=0)
    """Longest prompt plus output. None: the model's max_context. Never more than the cache can hold."""
    max_running: int = Field(default=32, gt=0)
    """Requests in one step."""
    step_tokens: int = Field(default=512, gt=0)
    """Tokens in one step, prefill and decode together; a longer prompt is prefilled in chunks."""
    max_waiting: int = Field(default=1024, gt=0)
    """Requests that may wait; `generate` refuses one more, `submit` waits for room."""
    prefix_reuse: bool = True
    """Keep the pages (and state snapshots) of what was computed, for prompts that begin the same."""
    state_snapshots: int = Field(default=32, ge=0)
    """Snapshots of lightning states kept for prefix reuse; each is 4 H D² bytes a lightning layer."""
    snapshot_tokens: int = Field(default=512, gt=0)
    """A snapshot is taken where a sequence's length is a multiple of this, and at its prompt's last whole page."""
    kv_on_update: Literal["keep", "recompute", "restart"] = "keep"
    """What new weights do to requests in flight. keep: pages and states of the old weights stay, and what follows is
    computed on top of them (fast; a little off-policy). recompute: they are computed again under the new weights.
    restart: what was sampled is thrown away and sampled again, so that a request is of one version; its tokens are
    given when it has ended, since what was given cannot be taken back."""
    native_kernels: bool | None = None
    """Compute linear layers, decode attention, norms and SwiGLUs by the engine's own CPU kernels, which a C++ compiler
    makes at first use; they keep a second copy of the linear weights. None: where it can be (a CPU, fp32 or bf16, a
    compiler), and `Metrics.kernels` tells; True where it can't is refused."""
    record_experts: bool = False
    """Keep each token's experts, for replay in training; see `Generation.choices`."""
    record_blocks: bool = False
    """Keep each token's MSA blocks likewise."""

    @model_validator(mode="after")
    def _consistent(self) -> EngineConfig:
        if self.step_tokens < self.max_running:
            raise ValueError(
                f"step_tokens {self.step_tokens} is less than max_running {self.max_running}: "
                "each running request needs one token a step"
            )
        return self


class SamplingParams(_Frozen):
    max_tokens: int | None = Field(default=None, gt=0)
    """Tokens to sample at most. None: until the window is full."""
    temperature: float = Field(default=1.0, ge=0)
    """0: greedy."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Sample from the smallest set of likeliest tokens that has this probability. Trainers want 1, see Token."""
    top_k: int = Field(default=0, ge=0)
    """Sample from this many likeliest tokens. 0: from all."""
    seed: int | None = None
    """The same seed and prompt draw the same numbers, whatever else runs. None: a fresh one, see `Generation.seed`."""
    stop_ids: frozenset[int] = frozenset()
    """Sampling one of these ends the request; the id itself is the last token."""
    stop_when: Callable[[Sequence[int]], bool] | None = None
    """Asked with all sampled ids after each token; True ends the request. Stop strings live here: who has a tokenizer
    decodes the tail and looks. It runs on the event loop and has to be quick."""
    repetition_tokens: int = Field(default=3000, ge=0)
    """End a request after this many tokens in a row above `repetition_probability` (MiniMax-M1, arXiv 2506.13585);
    the probability is the one that Token.logprob tells. 0: never."""
    repetition_probability: float = Field(default=0.99, gt=0, lt=1)
