"""What `policy.entry` is asked and answers: classes with the fields of agentgym's, which they do not know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from policy.engine import Token
from policy.tokenizer import TextStream, Tokenizer


class PolicyError(Exception):
    """No reply. `context_overflow`: the prompt does not fit the window, and a shorter one may."""

    def __init__(self, text: str, *, context_overflow: bool = False) -> None:
        super().__init__(text)
        self.context_overflow = context_overflow


class Sampling(Protocol):
    """Of what a request may ask for, what is followed."""

    @property
    def max_tokens(self) -> int | None: ...

    @property
    def stop(self) -> Sequence[str]: ...


ReplyFinish = Literal["stop", "length", "tool_calls", "repetition"]


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a reply was sampled as: one entry a token, the one that ended it included."""

    ids: Sequence[int]
    logprobs: Sequence[float]
    """Of softmax(logits / temperature); see `policy.engine.Token`."""
    versions: Sequence[int]
    texts: Sequence[str]
    """Joined they are the decoded ids: a character spread over several tokens comes with the last."""

    @classmethod
    def of(cls, sampled: Sequence[Token], tokenizer: Tokenizer) -> Tokens:
        ids = [token.id for token in sampled]
        stream = TextStream(tokenizer)
        texts = [stream.push(id) for id in ids]
        if rest := stream.end():
            texts[-1] += rest
        return cls(ids, [token.logprob for token in sampled], [token.version for token in sampled], texts)


@dataclass(frozen=True, slots=True)
class Reply:
    message: dict[str, Any]
    finish_reason: ReplyFinish
    usage: Usage
    tokens: Tokens
