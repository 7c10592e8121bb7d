"""How `policy:` is loaded and sampled, as a user says it: KEY=VALUE on the command line, a table in a config."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class PolicyOptions(BaseModel):
    """How the policy is loaded and sampled.

    A run's replies come from one distribution, or its samples could not be trained on together: what a request asks of
    temperature and top_p is not followed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(default=1.0, ge=0)
    """0 takes the likeliest token."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Sample from the smallest set of likeliest tokens that has this probability."""
    top_k: int = Field(default=0, ge=0)
    """Sample from this many likeliest tokens; 0: from all."""
    max_tokens: int = Field(default=1024, gt=0)
    """Tokens of one reply at most; a request may ask for fewer."""
    seed: int | None = None
    """The same seed and conversations give the same replies, however many run at once; None: a fresh one each time."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Of the weights in memory; None: the checkpoint's own (GGUF: float32)."""
    device: str = "cpu"
    """As torch names it: cpu, cuda, cuda:1."""
    window_tokens: int | None = Field(default=None, gt=0)
    """Longest prompt plus reply; None: the checkpoint's own."""
    cache_tokens: int = Field(default=16384, gt=0)
    """Tokens that all conversations together may keep in the cache."""
    parallel: int = Field(default=32, gt=0)
    """Replies computed at once; more wait."""
    kv_on_update: Literal["keep", "recompute", "restart"] = "keep"
    """What new weights do to replies in flight; see `EngineConfig`."""

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> PolicyOptions:
        """Raises ValueError, of one line, naming the nearest known option."""
        known = sorted(cls.model_fields)
        for key in options:
            if key not in known:
                close = get_close_matches(str(key), known, n=1)
                hint = f'nearest known option: "{close[0]}"' if close else f"known: {', '.join(known)}"
                raise ValueError(f'no option "{key}" ({hint})')
        try:
            return cls(**options)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(
                f"option {'.'.join(map(str, first['loc']))}: {first['msg']}, found {first['input']!r}"
            ) from error
