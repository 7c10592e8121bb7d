"""A caller's end of one request: an async iterator of tokens that can be interrupted, resumed and cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from policy.engine.errors import EngineStopped
from policy.engine.request import FinishReason, Request, Token
from policy.model import Choices


class Generation:
    """Iterate it, on the engine's event loop, for the tokens as they come; each is given once.

    As `async with`, it is cancelled on leaving if it has not ended.
    """

    def __init__(
        self,
        request: Request,
        mark: Callable[[Generation, FinishReason], None],
        again: Callable[..., None],
        *,
        whole: bool = False,
    ) -> None:
        """whole: tokens are given when the request has ended, and not before."""
        self.request = request
        self._whole = whole
        self.choices: Choices | None = None
        """Experts and blocks chosen at each computed token (all but the last), where the engine records them; it is
        there when the request has ended."""
        self._mark, self._again = mark, again
        self._changed = asyncio.Event()
        self._n_given = 0
        self._cause: BaseException | None = None

    @property
    def tokens(self) -> list[Token]:
        """All sampled so far, given or not."""
        return self.request.tokens

    @property
    def ids(self) -> list[int]:
        return [token.id for token in self.request.tokens]

    @property
    def finish_reason(self) -> FinishReason | None:
        """None while it runs."""
        return self.request.finish_reason

    @property
    def seed(self) -> int:
        return self.request.seed

    @property
    def reused_tokens(self) -> int:
        """Tokens of the prompt that prefix reuse spared."""
        return self.request.reused

    def interrupt(self) -> None:
        """End it after the step that runs, as INTERRUPTED; its tokens stay, `resume` continues."""
        self._mark(self, FinishReason.INTERRUPTED)

    def cancel(self) -> None:
        """End it after the step that runs, as CANCELLED, and free what it holds."""
        self._mark(self, FinishReason.CANCELLED)

    def resume(self) -> None:
        """Go on where an interrupt ended it: same seed, same limits, newest weights; what is still cached is reused."""
        self._again(self)

    async def wait(self) -> FinishReason:
        """Until it ends. EngineStopped: a step failed."""
        while self.request.finish_reason is None:
            self._changed.clear()
            await self._changed.wait()
        self._raise_failure()
        return self.request.finish_reason

    def __aiter__(self) -> Generation:
        return self

    async def __anext__(self) -> Token:
        while self._n_given == len(self.request.tokens) or (self._whole and self.request.finish_reason is None):
            if self.request.finish_reason is not None:
                self._raise_failure()
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        self._n_given += 1
        return self.request.tokens[self._n_given - 1]

    async def __aenter__(self) -> Generation:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.request.finish_reason is None:
            self.cancel()

    def changed(self) -> None:
        """The engine's: tokens came, or the end."""
        self._changed.set()

    def failed(self, cause: BaseException) -> None:
        """The engine's."""
        self.request.finish_reason, self._cause = FinishReason.FAILED, cause
        self._changed.set()

    def _raise_failure(self) -> None:
        if self.request.finish_reason is FinishReason.FAILED:
            raise EngineStopped(f"the engine failed while it served this request: {self._cause!r}") from self._cause
