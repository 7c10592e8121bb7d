"""`policy:smollm2` or `policy:FOLDER` as a model for agents: loads a checkpoint and answers messages.

It matches agentgym's TokenModel and StreamingModel and imports nothing of it: replies have the fields of its Reply,
errors the attribute by which it knows them. Any number of threads may ask at once; they share one engine, which batches
them and computes what their prompts share only once. Nothing is remembered between replies: who wants a conversation
to go on from the ids that were sampled keeps the prompt and calls `extend`.
"""

from __future__ import annotations

import atexit
import contextlib
import copy
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch

from policy.answer import Answer
from policy.chat import Message, Rendered, RenderError, Tool, choose_renderer
from policy.chat.stops import Stops
from policy.checkpoint import load
from policy.checkpoint.load import LoadedPolicy
from policy.engine import EngineConfig, EngineError, SamplingParams, ThreadedEngine
from policy.options import PolicyOptions
from policy.reply import PolicyError, Reply, Sampling
from policy.tokenizer import Tokenizer


class PolicyModel:
    """One checkpoint behind one engine. Safe to share between threads."""

    def __init__(
        self, loaded: LoadedPolicy, tokenizer: Tokenizer, options: PolicyOptions, name: str, *, version: int = 0
    ) -> None:
        """`version` is that of the weights.

        Raises TokenizerError (no chat format fits) and RequestError (sizes that do not go together).
        """
        self.name = name
        self.options = options
        self.renderer = choose_renderer(tokenizer)
        self.engine = ThreadedEngine(
            loaded.model,
            EngineConfig(
                window_tokens=options.window_tokens,
                cache_tokens=options.cache_tokens,
                max_running=options.parallel,
                kv_on_update=options.kv_on_update,
            ),
            version=version,
        )
        atexit.register(self.close)
        self._asked: Counter[bytes] = Counter()
        self._asking = threading.Lock()

    @classmethod
    def from_spec(cls, rest: str, options: Mapping[str, Any]) -> PolicyModel:
        """`rest`: a name that `policy.checkpoint.names` lists, a Hugging Face folder, or a .gguf file.

        Raises ValueError, of one line, for what cannot be loaded and for options that are wrong.
        """
        chosen = PolicyOptions.read(options)
        try:
            device = torch.device(chosen.device)
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"device {chosen.device!r} cannot be used: {str(error).splitlines()[0]}") from error
        dtype = None if chosen.dtype is None else getattr(torch, chosen.dtype)
        loaded = load(rest, dtype=dtype, device=device)
        return cls(loaded, Tokenizer.load(loaded.source), chosen, name=Path(rest).name)

    def sampled(self, **options: Any) -> PolicyModel:
        """The same engine, sampled from with other options: temperature, top_p, top_k, max_tokens, seed."""
        other = copy.copy(self)
        other.options = self.options.model_copy(update=options)
        return other

    @property
    def window_tokens(self) -> int:
        """Prompt and reply together."""
        return self.engine.engine.window_tokens

    def render(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> Rendered:
        """A conversation from its beginning, up to where the next reply begins. Raises PolicyError."""
        with _failures():
            return self.renderer.render(messages, tools)

    def extend(self, prompt: Rendered, sampled: Sequence[int], messages: Sequence[Message], first: int) -> Rendered:
        """`prompt`, the reply sampled after it, id for id, then `messages` (number `first` and on), up to the next.

        Raises PolicyError.
        """
        with _failures():
            return self.renderer.extend(prompt.answered(sampled, first - 1), messages, first)

    def sample(self, prompt: Rendered, tools: Sequence[Tool] = (), sampling: Sampling | None = None) -> Answer:
        """Pieces of the reply as they come, then the Reply with its tokens. Closing it ends the reply early.

        Raises PolicyError: the prompt leaves no room for a reply, or the request asks for what there is not.
        """
        if len(prompt.ids) >= self.window_tokens:
            raise PolicyError(
                f"the prompt has {len(prompt.ids)} tokens, which leaves no room for a reply in {self.name}'s window of "
                f"{self.window_tokens}",
                context_overflow=True,
            )
        stops = Stops(self.renderer.tokenizer, sampling.stop if sampling else ())
        params = self._params(prompt, sampling, stops)
        with _failures():
            stream = self.engine.stream(prompt.ids, params)
        return Answer(stream, len(prompt.ids), self.renderer, tools, stops)

    def stream(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), sampling: Sampling | None = None
    ) -> Answer:
        """`sample` from messages, rendered anew."""
        return self.sample(self.render(messages, tools), tools, sampling)

    def reply(self, messages: Sequence[Message], tools: Sequence[Tool] = (), sampling: Sampling | None = None) -> Reply:
        """What `stream` ends with."""
        with contextlib.closing(self.stream(messages, tools, sampling)) as answer:
            *_, reply = answer
        assert isinstance(reply, Reply)
        return reply

    def close(self) -> None:
        """End the engine; whoever waits for a reply gets a PolicyError. Closing twice is fine."""
        self.engine.close()
        atexit.unregister(self.close)

    def _params(self, prompt: Rendered, sampling: Sampling | None, stops: Stops) -> SamplingParams:
        options = self.options
        asked = options.max_tokens if sampling is None or sampling.max_tokens is None else sampling.max_tokens
        if asked < 1:
            raise PolicyError(f"found max_tokens {asked} in a request, wanted 1 or more")
        return SamplingParams(
            max_tokens=min(options.max_tokens, asked),
            temperature=options.temperature,
            top_p=options.top_p,
            top_k=options.top_k,
            seed=None if options.seed is None else self._seed(options.seed, prompt),
            stop_ids=self.renderer.stop_ids,
            stop_when=stops.reached if stops.texts else None,
        )

    def _seed(self, seed: int, prompt: Rendered) -> int:
        """Of the prompt and how often it was asked before, not of the order in which threads come."""
        asked = blake2b(repr((seed, prompt.ids)).encode(), digest_size=7)
        with self._asking:
            nth = self._asked[asked.digest()]
            self._asked[asked.digest()] += 1
        return int.from_bytes(blake2b(asked.digest() + nth.to_bytes(8, "big"), digest_size=7).digest(), "big")


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (RenderError, EngineError) as error:
        raise PolicyError(str(error)) from error
