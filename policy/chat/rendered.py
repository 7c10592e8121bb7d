"""A conversation as token ids, what a chat format must offer, and the writer that all formats share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from policy.chat.live import LiveReply
from policy.chat.message import Message, Parsed, Tool
from policy.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Span:
    """The ids of one message: start <= body_start <= body_end <= end."""

    message: int | None
    """Its index; None for what no message said: a default system prompt, the opening of the reply to come."""
    role: str
    start: int
    body_start: int
    """After the header."""
    body_end: int
    """Of an assistant's message the body is what a model samples, the end-of-turn token included."""
    end: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """Ids and whose they are. The spans follow one another without gaps and cover all ids."""

    ids: tuple[int, ...]
    spans: tuple[Span, ...]

    def answered(self, sampled: Sequence[int], message: int) -> Rendered:
        """This prompt and the reply that was sampled after it, which is message number `message`."""
        end = len(self.ids) + len(sampled)
        reply = replace(self.spans[-1], message=message, body_end=end, end=end)
        return Rendered((*self.ids, *sampled), (*self.spans[:-1], reply))


class Renderer(Protocol):
    """One chat format over one tokenizer. Immutable, safe to share between threads."""

    name: str
    tokenizer: Tokenizer
    stop_ids: frozenset[int]
    """Tokens that end a reply."""

    def render(self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, reply: bool = True) -> Rendered:
        """The whole conversation; `reply`: up to where the next reply begins. Raises RenderError."""

    def extend(self, held: Rendered, messages: Sequence[Message], first: int) -> Rendered:
        """`held`, which ends with a sampled reply, then `messages` (number `first` and on), up to the next reply.

        The held ids stay as they are, byte for byte. Raises RenderError.
        """

    def parse(self, ids: Sequence[int], tools: Sequence[Tool] = (), stop: Sequence[str] = ()) -> Parsed:
        """A sampled reply, its stop token included or not, up to where the first of the `stop` texts stands.

        Never raises.
        """

    def follow(self) -> LiveReply:
        """A reply that is about to be sampled, to be read as it comes."""


class Writer:
    """Ids in the making. Text between two added tokens or marks is encoded in one piece, and never parsed for them."""

    def __init__(self, tokenizer: Tokenizer, held: Rendered | None = None) -> None:
        self._tokenizer = tokenizer
        self._ids = list(held.ids) if held else []
        self._spans = list(held.spans) if held else []
        self._text: list[str] = []

    def text(self, text: str) -> None:
        self._text.append(text)

    def token(self, name: str) -> None:
        """An added token, which the vocabulary must have."""
        self.mark()
        self._ids.append(self._tokenizer.token_id(name))

    def markup(self, name: str) -> None:
        """An added token where the vocabulary has one of this name, else its spelling."""
        if name in self._tokenizer.added:
            self.token(name)
        else:
            self.text(name)

    def mark(self) -> int:
        """Where the next id will be."""
        if self._text:
            self._ids += self._tokenizer.encode("".join(self._text))
            self._text.clear()
        return len(self._ids)

    def span(self, message: int | None, role: str, body_start: int, body_end: int) -> None:
        """Everything since the last span."""
        start = self._spans[-1].end if self._spans else 0
        self._spans.append(Span(message, role, start, body_start, body_end, self.mark()))

    def close_reply(self, end: str) -> None:
        """After a sampled reply: the end-of-turn token, where it was cut off or ended by another, and a line break."""
        if self._ids[-1] != self._tokenizer.token_id(end):
            self.token(end)
        self.text("\n")
        self._spans[-1] = replace(self._spans[-1], end=self.mark())

    def rendered(self) -> Rendered:
        self.mark()
        return Rendered(tuple(self._ids), tuple(self._spans))
