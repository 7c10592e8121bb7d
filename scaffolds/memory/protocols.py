"""What the plan scaffold expects of the parts of its memory. One of each is made for an episode, and knows that one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agentgym.protocols import Message, Reply, Tool


class WorkingMemory(Protocol):
    """The conversation as the model is sent it."""

    @property
    def messages(self) -> Sequence[Message]: ...

    def open(self, opening: Sequence[Message]) -> None:
        """Begin with these, in place of the opening before and of what `outgrown` names; what comes after stays."""

    def add(self, reply: Reply, answers: Sequence[Message]) -> None:
        """One turn: the reply to `messages`, and what the model is answered."""

    def outgrown(self) -> range:
        """Which of `messages` are to go before the next reply, those right after the opening; none while there is
        room."""


class Memory(Protocol):
    """Something that outlives the conversation."""

    @property
    def tools(self) -> Sequence[Tool]:
        """What the model keeps it with, offered beside the episode's tools."""

    def recall(self) -> str:
        """What the model is told of it where a conversation begins: at the start, and after each compaction. Empty
        where there is nothing to tell. Raises SandboxError."""
