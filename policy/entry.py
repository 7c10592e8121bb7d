"""`policy:smollm2` or `policy:FOLDER` as a model for agents: loads a checkpoint and answers messages.

It matches agentgym's StreamingModel and imports nothing of it: replies have the fields of its Reply, errors the
attribute by which it knows them. Any number of threads may ask at once; they share one engine, which batches them and
computes what their prompts share only once. A conversation that goes on is extended by ids and never rendered again.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policy.chat import Held, Message, Rendered, RenderError, Tool, choose_renderer
from policy.chat.memory import Memory
from policy.checkpoint import load
from policy.checkpoint.load import LoadedPolicy
from policy.engine import EngineConfig, EngineError, FinishReason, SamplingParams, ThreadedEngine, Token
from policy.tokenizer import TextStream, Tokenizer


class PolicyOptions(BaseModel):
    """How the policy is loaded and sampled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(default=1.0, ge=0)
    """0 takes the likeliest token."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Sample from the smallest set of likeliest tokens that has this probability."""
    top_k: int = Field(default=0, ge=0)
    """Sample from this many likeliest tokens; 0: from all."""
    max_tokens: int = Field(default=1024, gt=0)
    """Tokens of one reply at most."""
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


class PolicyError(Exception):
    """No reply. `context_overflow`: the prompt does not fit the window, and a shorter one may."""

    def __init__(self, text: str, *, context_overflow: bool = False) -> None:
        super().__init__(text)
        self.context_overflow = context_overflow


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Reply:
    """The fields of agentgym's Reply."""

    message: dict[str, Any]
    finish_reason: Literal["stop", "length", "tool_calls", "repetition"]
    usage: Usage


class PolicyModel:
    """One checkpoint behind one engine. Safe to share between threads."""

    def __init__(self, loaded: LoadedPolicy, tokenizer: Tokenizer, options: PolicyOptions, name: str) -> None:
        """Raises TokenizerError (no chat format fits) and RequestError (sizes that do not go together)."""
        self.name = name
        self.options = options
        self.renderer = choose_renderer(tokenizer)
        self._memory = Memory(self.renderer)
        self.engine = ThreadedEngine(
            loaded.model,
            EngineConfig(
                window_tokens=options.window_tokens, cache_tokens=options.cache_tokens, max_running=options.parallel
            ),
        )
        atexit.register(self.close)
        self._asked: Counter[bytes] = Counter()
        self._asking = threading.Lock()

    @classmethod
    def from_spec(cls, rest: str, options: Mapping[str, Any]) -> PolicyModel:
        """`rest`: a name that `policy.checkpoint.names` lists, a Hugging Face folder, or a .gguf file.

        Raises ValueError, of one line, for what cannot be loaded and for options that are wrong.
        """
        chosen = _read_options(options)
        try:
            device = torch.device(chosen.device)
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"device {chosen.device!r} cannot be used: {str(error).splitlines()[0]}") from error
        dtype = None if chosen.dtype is None else getattr(torch, chosen.dtype)
        loaded = load(rest, dtype=dtype, device=device)
        return cls(loaded, Tokenizer.load(loaded.source), chosen, name=Path(rest).name)

    @property
    def window_tokens(self) -> int:
        """Prompt and reply together."""
        return self.engine.engine.window_tokens

    def reply(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> Reply:
        """Answer. Raises PolicyError."""
        prompt = self._prompt(messages, tools)
        with _engine_failures():
            completion = self.engine.complete(prompt.ids, self._params(prompt))
        ids = [token.id for token in completion.tokens]
        return self._take(messages, tools, prompt, ids, completion.finish_reason)

    def stream(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> Iterator[str | Reply]:
        """The text as it is sampled, thinking and markup included, then the Reply. Closing it cancels the rest."""
        prompt = self._prompt(messages, tools)
        text = TextStream(self.renderer.tokenizer)
        ids: list[int] = []
        ended = FinishReason.CANCELLED

        def tokens() -> Iterator[Token]:
            nonlocal ended
            ended = yield from self.engine.stream(prompt.ids, self._params(prompt))

        with _engine_failures():
            for token in tokens():
                ids.append(token.id)
                if token.id not in self.renderer.stop_ids and (piece := text.push(token.id)):
                    yield piece
        if piece := text.end():
            yield piece
        yield self._take(messages, tools, prompt, ids, ended)

    def close(self) -> None:
        """End the engine; whoever waits for a reply gets a PolicyError. Closing twice is fine."""
        self.engine.close()
        atexit.unregister(self.close)

    def _prompt(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Rendered:
        try:
            prompt = self._memory.prompt(messages, tools)
        except RenderError as error:
            raise PolicyError(str(error)) from error
        if len(prompt.ids) >= self.window_tokens:
            raise PolicyError(
                f"the prompt has {len(prompt.ids)} tokens, which leaves no room for a reply in {self.name}'s window of "
                f"{self.window_tokens}",
                context_overflow=True,
            )
        return prompt

    def _params(self, prompt: Rendered) -> SamplingParams:
        options = self.options
        return SamplingParams(
            max_tokens=options.max_tokens,
            temperature=options.temperature,
            top_p=options.top_p,
            top_k=options.top_k,
            seed=None if options.seed is None else self._seed(options.seed, prompt),
            stop_ids=self.renderer.stop_ids,
        )

    def _seed(self, seed: int, prompt: Rendered) -> int:
        """Of the prompt and how often it was asked before, not of the order in which threads come."""
        asked = blake2b(repr((seed, prompt.ids)).encode(), digest_size=7)
        with self._asking:
            nth = self._asked[asked.digest()]
            self._asked[asked.digest()] += 1
        return int.from_bytes(blake2b(asked.digest() + nth.to_bytes(8, "big"), digest_size=7).digest(), "big")

    def _take(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        prompt: Rendered,
        ids: Sequence[int],
        ended: FinishReason,
    ) -> Reply:
        parsed = self.renderer.parse(ids, tools)
        message = parsed.message()
        self._memory.add(Held.after(messages, tools, prompt, ids, message))
        usage = Usage(len(prompt.ids), len(ids))
        if ended is FinishReason.STOP:
            return Reply(message, "tool_calls" if parsed.calls else "stop", usage)
        return Reply(message, "repetition" if ended is FinishReason.REPETITION else "length", usage)


@contextlib.contextmanager
def _engine_failures() -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        raise PolicyError(str(error)) from error


def _read_options(options: Mapping[str, Any]) -> PolicyOptions:
    known = sorted(PolicyOptions.model_fields)
    for key in options:
        if key not in known:
            close = get_close_matches(str(key), known, n=1)
            hint = f'nearest known option: "{close[0]}"' if close else f"known: {', '.join(known)}"
            raise ValueError(f'no option "{key}" ({hint})')
    try:
        return PolicyOptions(**options)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(
            f"option {'.'.join(map(str, first['loc']))}: {first['msg']}, found {first['input']!r}"
        ) from error
