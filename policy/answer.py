"""A reply in the making: the engine's tokens in, pieces of text out, and in the end the Reply."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from policy.chat import Delta, Renderer, Tool
from policy.chat.stops import Stops
from policy.engine import EngineError, FinishReason, Token, TokenStream
from policy.reply import PolicyError, Reply, ReplyFinish, Tokens, Usage


class Answer:
    """An iterator for one thread; any thread may close it, and it ends without a Reply."""

    def __init__(self, stream: TokenStream, n_prompt: int, renderer: Renderer, tools: Sequence[Tool], stops: Stops):
        self._stream = stream
        self._n_prompt = n_prompt
        self._renderer = renderer
        self._tools = tools
        self._stops = stops
        self._pieces = self._read()

    def __iter__(self) -> Answer:
        return self

    def __next__(self) -> Delta | Reply:
        """Raises PolicyError where the engine failed or was ended."""
        return next(self._pieces)

    def close(self) -> None:
        """Free what the engine holds for it."""
        self._stream.close()

    def _read(self) -> Iterator[Delta | Reply]:
        sampled: list[Token] = []
        ids: list[int] = []
        live = self._renderer.follow()
        with closing(self._stream):
            try:
                for token in self._stream:
                    sampled.append(token)
                    ids.append(token.id)
                    if not self._stops.reached(ids):
                        for id in self._stops.clear(token.id):
                            yield from live.push(id)
            except EngineError as error:
                raise PolicyError(str(error)) from error
            if self._stream.closed:  # by the caller
                return
        if self._stream.finish_reason is FinishReason.CANCELLED:
            raise PolicyError("the engine was closed before the reply was whole")
        parsed = self._renderer.parse(ids, self._tools, self._stops.texts)
        yield from live.end(parsed)
        yield Reply(
            parsed.message(),
            _finish_reason(self._stream.finish_reason, called=bool(parsed.calls)),
            Usage(self._n_prompt, len(ids)),
            Tokens.of(sampled, self._renderer.tokenizer),
        )


def _finish_reason(ended: FinishReason | None, *, called: bool) -> ReplyFinish:
    match ended:
        case FinishReason.STOP:
            return "tool_calls" if called else "stop"
        case FinishReason.REPETITION:
            return "repetition"
        case _:
            return "length"
