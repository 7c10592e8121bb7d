"""Texts that end a reply, found while it is sampled."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from policy.tokenizer import Tokenizer


class Stops:
    """The stop texts of one reply, compared byte by byte: tokens may split characters. Empty ones are left out."""

    def __init__(self, tokenizer: Tokenizer, texts: Sequence[str]) -> None:
        self.texts = tuple(text for text in texts if text)
        self._tokenizer = tokenizer
        self._ends = [text.encode("utf-8", "replace") for text in self.texts]
        self._longest = max(map(len, self._ends), default=0)
        self._waiting: deque[int] = deque()
        self._n_bytes = 0
        """Of the waiting ids."""

    def reached(self, ids: Sequence[int]) -> bool:
        """Whether the newest of the sampled ids completes one; what `SamplingParams.stop_when` asks after each."""
        if not self.texts:
            return False
        tail = b"".join(map(self._tokenizer.token_bytes, ids[-self._longest :]))
        return any(end in tail for end in self._ends)

    def clear(self, id: int) -> Iterator[int]:
        """Takes an id that completes none; gives those, of it and the ones before, that none can begin in any more."""
        self._waiting.append(id)
        self._n_bytes += len(self._tokenizer.token_bytes(id))
        while self._waiting:
            after = self._n_bytes - len(self._tokenizer.token_bytes(self._waiting[0]))
            if after < self._longest - 1:
                return
            self._n_bytes = after
            yield self._waiting.popleft()
