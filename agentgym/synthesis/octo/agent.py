"""A model that plays a script to its end, whatever becomes of the conversation meanwhile. One for each episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentgym.errors import ModelError
from agentgym.protocols import Message, Reply, Sampling


class Player:
    """Gives the replies in order; where the conversation is to be summed up it does that, and goes on afterwards.

    Matches WindowedModel.
    """

    name = "octo-script"

    def __init__(self, replies: Sequence[Reply], queries: Sequence[str], window_tokens: int | None = None) -> None:
        """`queries`: what the user says, turn by turn."""
        self.window_tokens = window_tokens
        self._queries = queries
        self._replies = replies
        self._n_said = 0

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] = (),
        sampling: Sampling | None = None,
    ) -> Reply:
        """Raises ModelError when the script has come to its end."""
        said = messages[-1]["content"] or ""
        # every reply calls a tool: who speaks up between them, and is not the user with the next query, wants a summary
        if self._n_said and messages[-1]["role"] == "user" and not any(query in said for query in self._queries):
            return Reply({"role": "assistant", "content": "The work goes on as it was."})
        if self._n_said == len(self._replies):
            raise ModelError(f"the script is exhausted after {self._n_said} replies")
        self._n_said += 1
        return self._replies[self._n_said - 1]
