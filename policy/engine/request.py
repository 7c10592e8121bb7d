"""One request as the engine sees it: ids in, ids out, how far it is computed, and why it ended."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum

from policy.engine.config import SamplingParams
from policy.engine.pages import PageTable


class FinishReason(StrEnum):
    STOP = "stop"
    """A stop id was sampled, or stop_when said so."""
    LENGTH = "length"
    """max_tokens are sampled."""
    CONTEXT_OVERFLOW = "context_overflow"
    """The window is full."""
    REPETITION = "repetition"
    """Too long a run of tokens that were all but certain."""
    INTERRUPTED = "interrupted"
    """Stopped from outside; its tokens are kept and `resume` continues it."""
    CANCELLED = "cancelled"
    """Given up from outside; nobody will read on."""
    FAILED = "failed"
    """A step raised; the iterator raises EngineStopped with the cause."""


@dataclass(frozen=True, slots=True)
class Token:
    """One sampled token."""

    id: int
    logprob: float
    """Natural log of its probability in softmax(logits / temperature) over the whole vocabulary (temperature 1 where
    it is 0), before top_k and top_p cut: a trainer computes the same number from the same weights."""
    version: int
    """Of the weights that it was sampled with."""


@dataclass(eq=False)
class Request:
    """Mutable; only the event loop's thread writes it, between steps."""

    id: int
    ids: list[int]
    """Prompt, then what was sampled."""
    n_prompt: int
    params: SamplingParams
    seed: int
    table: PageTable
    tokens: list[Token] = field(default_factory=list)
    computed: int = 0
    """Tokens whose keys, values and states are in the cache."""
    is_new: bool = True
    """It never ran."""
    reused: int = 0
    """Tokens of its prompt that prefix reuse spared when it first ran."""
    keys: list[bytes] = field(default_factory=list)
    """Name of each whole page: see PrefixCache."""
    n_announced: int = 0
    """Whole pages that it said it would compute."""
    state_row: int | None = None
    certain: int = 0
    """Length of the run of near-certain tokens so far."""
    mixed: bool = False
    """Its cache holds work of more than one version: never shared."""
    finish_reason: FinishReason | None = None

    @property
    def remaining(self) -> int:
        """Tokens to compute before the next one can be sampled; 1 while decoding."""
        return len(self.ids) - self.computed

    def uniform(self) -> float:
        """This token's random number in [0, 1): of seed and place alone, so neither batch nor preemption changes it."""
        return random.Random((self.seed << 32) + len(self.tokens)).random()

    def restart(self) -> None:
        """Forget what was sampled. Nothing of it may be in the cache any more."""
        del self.ids[self.n_prompt :], self.keys[:]
        self.tokens.clear()
        self.certain = 0

    def append(self, token: Token, probability: float, window: int) -> FinishReason | None:
        """Take a sampled token; why it is the last one, or None."""
        params = self.params
        self.ids.append(token.id)
        self.tokens.append(token)
        self.certain = self.certain + 1 if probability > params.repetition_probability else 0
        if token.id in params.stop_ids:
            return FinishReason.STOP
        if params.stop_when is not None and params.stop_when(self.ids[self.n_prompt :]):
            return FinishReason.STOP
        if params.repetition_tokens and self.certain >= params.repetition_tokens:
            return FinishReason.REPETITION
        if len(self.tokens) == params.max_tokens:
            return FinishReason.LENGTH
        return FinishReason.CONTEXT_OVERFLOW if len(self.ids) >= window else None
