"""One request's tokens, handed from the engine's event loop to another thread."""

from __future__ import annotations

import asyncio
import contextlib
from queue import SimpleQueue

from policy.engine.generation import Generation
from policy.engine.request import FinishReason, Token


class TokenStream:
    """An iterator for one thread; any thread may close it, while another waits for a token.

    A task on the event loop pushes: to ask for each token across threads costs more than a small model's step.
    """

    finish_reason: FinishReason | None = None
    """None until the iteration has ended."""
    closed = False
    """`close` was called."""

    def __init__(self, generation: Generation) -> None:
        """On the event loop."""
        self._generation = generation
        self._loop = asyncio.get_running_loop()
        self._arrived: SimpleQueue[Token | FinishReason | BaseException] = SimpleQueue()
        self._following = self._loop.create_task(self._follow())

    def __iter__(self) -> TokenStream:
        return self

    def __next__(self) -> Token:
        """Raises EngineStopped when a step failed."""
        if self.finish_reason is None:
            came = self._arrived.get()
            if isinstance(came, Token):
                return came
            if isinstance(came, BaseException):
                self.finish_reason = FinishReason.FAILED
                raise came
            self.finish_reason = came
        raise StopIteration

    def close(self) -> None:
        """Cancel the request, where it has not ended, and free what it holds after the step that runs."""
        self.closed = True
        if not self._following.done():
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nothing is left to cancel
                self._loop.call_soon_threadsafe(self._generation.cancel)

    async def _follow(self) -> None:
        try:
            async for token in self._generation:
                self._arrived.put(token)
            self._arrived.put(await self._generation.wait())
        except BaseException as error:
            self._arrived.put(error)
