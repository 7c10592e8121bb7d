"""A reply shown while it is sampled: reasoning and content, each piece as soon as nothing to come can change it.

What is shown is always the beginning of what `read_reply` will find in the whole reply. So whatever may turn out to be
markup waits, and from the first mark of a tool call on everything does: only the whole reply tells whether it is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from policy.chat.message import Parsed
from policy.chat.reply import END_THINK, THINK, Markup
from policy.tokenizer import TextStream


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a reply as it comes; the fields of agentgym's Delta."""

    kind: Literal["reasoning", "content"]
    text: str


class LiveReply:
    """One reply in the making: `push` each sampled id, then `end`. The cost of an id does not grow with the reply."""

    def __init__(self, markup: Markup) -> None:
        self._markup = markup
        self._bytes = TextStream(markup.tokenizer)
        # a marker that is a token is a surrogate in the text, which no bytes decode to; one that is not is its spelling
        added = markup.tokenizer.added
        names = (THINK, END_THINK, markup.calls[0])
        self._marks = [chr(0xD800 + n) if name in added else name for n, name in enumerate(names)]
        self._tokens = {added[name]: mark for name, mark in zip(names, self._marks, strict=True) if name in added}
        self._spelled = str.maketrans({mark: markup.tokenizer.decode([id]) for id, mark in self._tokens.items()})
        self._text = ""
        """What came and is not shown yet."""
        self._at: Literal["start", "reasoning", "content", "end"] = "start"
        self._n_breaks = 0
        """Line breaks that would still belong to the marker before them."""
        self._n_shown = {"reasoning": 0, "content": 0}

    def push(self, id: int) -> Iterator[Delta]:
        """What this id makes certain."""
        if self._at == "end":
            return
        if id in self._markup.stop_ids:
            self._at = "end"
        elif mark := self._tokens.get(id):
            self._text += self._bytes.end() + mark
        else:
            self._text += self._bytes.push(id)
        think, end_think, call = self._marks
        if self._at == "start":
            self._begin(think)
        if self._at == "reasoning":
            yield from self._show("reasoning", end_think, "content", n_breaks=2)
        if self._at == "content":
            yield from self._show("content", call, "end", n_breaks=0)

    def end(self, parsed: Parsed) -> Iterator[Delta]:
        """The rest of the reply, which was read as `parsed`."""
        self._at = "end"
        if rest := parsed.reasoning[self._n_shown["reasoning"] :]:
            yield Delta("reasoning", rest)
        if rest := parsed.content[self._n_shown["content"] :]:
            yield Delta("content", rest)

    def _begin(self, think: str) -> None:
        if self._text.startswith(think):
            self._text = self._text.removeprefix(think)
            self._at, self._n_breaks = "reasoning", 1
        elif not think.startswith(self._text):
            self._at = "reasoning" if self._markup.in_thought else "content"

    def _show(
        self, kind: Literal["reasoning", "content"], mark: str, then: Literal["content", "end"], *, n_breaks: int
    ) -> Iterator[Delta]:
        """Up to the mark, or to what may become it; a line break before it belongs to it."""
        while self._n_breaks and self._text.startswith("\n"):
            self._text, self._n_breaks = self._text[1:], self._n_breaks - 1
        if self._text:
            self._n_breaks = 0
        sure, found, rest = self._text.partition(mark)
        if found:
            self._at, self._n_breaks = then, n_breaks
        else:
            begun = sure.rfind(mark[0])  # no mark holds its first character twice
            if begun >= 0 and mark.startswith(sure[begun:]):
                sure, rest = sure[:begun], sure[begun:]
        if sure.endswith("\n"):
            sure, rest = sure[:-1], rest if found else "\n" + rest
        self._text = rest
        if sure:
            shown = sure.translate(self._spelled)
            self._n_shown[kind] += len(shown)
            yield Delta(kind, shown)
