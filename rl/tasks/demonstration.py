"""A conversation to imitate, as token ids. Who held it, and what it was worth, is not known here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from policy.chat import Message, Renderer


class Demonstration(NamedTuple):
    """One conversation to imitate, id for id what an episode of it would have on record."""

    ids: list[int]
    loss_mask: list[bool]
    """One an id: whether it is the reply's, the token that ends it included."""


def imitated(
    messages: Sequence[Message], renderer: Renderer, *, tools: Sequence[Mapping[str, Any]] = ()
) -> Demonstration:
    """A conversation up to its last reply, of which every reply trains."""
    rendered = renderer.render(messages, tools, reply=False)
    replies = [span for span in rendered.spans if span.role == "assistant"]
    ids = list(rendered.ids[: replies[-1].body_end]) if replies else list(rendered.ids)
    loss_mask = [False] * len(ids)
    for span in replies:
        loss_mask[span.body_start : span.body_end] = [True] * (span.body_end - span.body_start)
    return Demonstration(ids, loss_mask)
