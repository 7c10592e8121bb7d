"""One engine for many threads: an event loop in a thread of its own, and blocking calls into it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from policy.engine.config import EngineConfig, SamplingParams
from policy.engine.errors import EngineStopped
from policy.engine.metrics import Metrics
from policy.engine.request import FinishReason, Token
from policy.engine.runner import Weights
from policy.engine.service import Engine
from policy.engine.stream import TokenStream
from policy.model import Choices, Decoder

Result = TypeVar("Result")


class Completion(NamedTuple):
    """A request that has ended."""

    tokens: list[Token]
    finish_reason: FinishReason
    choices: Choices | None


class ThreadedEngine:
    """`with ThreadedEngine(model) as engine:`; every method may be called from any thread, and many at once."""

    def __init__(self, model: Decoder, config: EngineConfig | None = None, *, version: int = 0) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine-loop", daemon=True)
        try:
            self.engine = Engine(model, config, version=version)
        except BaseException:
            self._loop.close()
            raise
        self._thread.start()
        self._call(self.engine.start())

    def complete(self, prompt_ids: Sequence[int], params: SamplingParams | None = None) -> Completion:
        """Wait for the whole answer (and, while the queue is full, for room)."""

        async def complete() -> Completion:
            generation = await self.engine.submit(prompt_ids, params)
            reason = await generation.wait()
            return Completion(list(generation.tokens), reason, generation.choices)

        return self._call(complete())

    def stream(self, prompt_ids: Sequence[int], params: SamplingParams | None = None) -> TokenStream:
        """Tokens as they come. Waits while the queue is full."""

        async def submit() -> TokenStream:
            return TokenStream(await self.engine.submit(prompt_ids, params))

        return self._call(submit())

    def update_weights(self, weights: Weights, version: int, *, timeout_s: float | None = None) -> int:
        """As `Engine.update_weights`. TimeoutError: it took longer, and the swap may still come."""
        return self._call(self.engine.update_weights(weights, version), timeout_s)

    def metrics(self) -> Metrics:
        async def metrics() -> Metrics:
            return self.engine.metrics()

        return self._call(metrics())

    def close(self) -> None:
        """Cancel what is in flight and end both threads. Closing twice is fine."""
        if self._loop.is_closed():
            return
        self._call(self.engine.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> ThreadedEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, coroutine: Coroutine[Any, Any, Result], timeout_s: float | None = None) -> Result:
        if self._loop.is_closed():
            coroutine.close()
            raise EngineStopped("this engine is closed; make a new one")
        future: Future[Result] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout_s)
        except BaseException:
            # a timeout, KeyboardInterrupt and the like: do not leave the coroutine behind
            future.cancel()
            raise
