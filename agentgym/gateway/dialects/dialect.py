"""What a dialect is: a way to ask over HTTP. Its modules match `Dialect`; the server knows no more of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from agentgym.gateway.dialects.fault import Fault
from agentgym.protocols import Delta, Message, Reply, Sampling


class Events(Protocol):
    """One client's stream of server-sent events; called in this order, `delta` as often as there are some."""

    @property
    def keepalive(self) -> bytes:
        """Keeps the line open and says nothing; fits anywhere after `begin`."""

    def begin(self) -> bytes: ...

    def delta(self, delta: Delta) -> bytes: ...

    def end(self, reply: Reply) -> bytes:
        """All that is left of the reply, and the last events."""

    def fail(self, fault: Fault) -> bytes:
        """In place of `end`."""


class Answer(Protocol):
    """How the reply to one request is put; its ids are the same however often it is."""

    def body(self, reply: Reply) -> dict[str, Any]:
        """The whole answer, not streamed."""

    def events(self) -> Events: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for, in OpenAI's shape whatever it came in."""

    messages: list[Message]
    tools: list[dict[str, Any]]
    sampling: Sampling
    stream: bool
    stripped: tuple[str, ...]
    """Names of the tools that were taken out: the provider would have run them."""
    answer: Answer


class Dialect(Protocol):
    @property
    def NAME(self) -> Literal["chat", "responses", "messages"]: ...

    def parse(self, body: Mapping[str, Any], model: str) -> Asked:
        """`model`: what answers where the request names none. Raises Fault."""

    def refusal(self, fault: Fault) -> dict[str, Any]:
        """The body of an error."""
