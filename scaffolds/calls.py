"""What a reply asks for, carried out: native tool calls, and an answer where nothing of it can be read.

It knows neither the conversation nor what the tools do; limits and the record are the episode's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from agentgym.protocols import Message, MessageToolCall, Reply, StopReason, ToolCall
from agentgym.tools import ToolPool
from scaffolds.prompts import render

if TYPE_CHECKING:
    from agentgym.env import Episode

MALFORMED_AT_MOST = 3
"""Replies in a row without a readable action, after which the episode ends."""
DEEPEST = 100
"""Levels of a call's arguments; what is nested deeper cannot be put on record as an object."""

HANDED_IN = "The work is handed in."
"""The answer to a submission after which the user goes on."""

# how calls begin in the formats that models were trained on; a server that cannot read one leaves it in the text
MARKUP = re.compile(
    r"^\s*(?:<tool_call>|<minimax:tool_call>|<function_calls?>|<invoke |<function=|<\|tool_call|\[TOOL_CALLS\])",
    re.MULTILINE,
)


class CallRunner:
    """Carries out the replies of one episode, one after the other."""

    def __init__(self, episode: Episode, tools: ToolPool) -> None:
        self._episode = episode
        self._tools = tools
        self._malformed = 0
        """Replies in a row that held nothing readable."""
        self._said_done = False
        """Whether the reply before was text alone."""

    def answer(self, reply: Reply) -> list[Message]:
        """Run the reply's calls in order; the messages that tell the model what came of it.

        A text without a call is answered with a reminder, the second in a row is the final answer. The episode ends as
        parse_error after MALFORMED_AT_MOST replies in a row without a readable call. Raises EpisodeOver, TaskError.
        """
        episode = self._episode
        calls = [read_call(call) for call in reply.message.get("tool_calls") or ()]
        answers: list[Message] = []
        instructions: list[Message] = []
        for call in calls:
            if episode.over:
                return answers
            step = episode.step(call, self._tools)
            if step.goes_on:
                instructions.append({"role": "user", "content": step.observation})
            answer = HANDED_IN if step.goes_on else step.observation
            answers.append({"role": "tool", "content": answer, "tool_call_id": call.id})
        answers += instructions  # all calls of a reply are answered before anybody else speaks
        problem = find_problem(reply)
        if any(isinstance(call.arguments, Mapping) and call.name in self._tools for call in calls):
            self._malformed, self._said_done = 0, False
        elif calls or problem:
            self._malformed, self._said_done = self._malformed + 1, False
            if self._malformed == MALFORMED_AT_MOST:
                episode.stop(StopReason.PARSE_ERROR)
        elif self._said_done:
            self._said_done = False
            answers.append({"role": "user", "content": episode.step(reply.message["content"] or "").observation})
        else:
            self._said_done = True
            problem = render("tools_no_call.md", submit=how_to_submit(self._tools))
        if problem and not episode.over:
            refused = episode.refuse(reply.message["content"] or "", problem)
            answers.append({"role": "user", "content": refused.observation})
        return answers


def read_call(call: MessageToolCall) -> ToolCall:
    """The call; arguments that are no JSON object stay text, which the pool explains to the model."""
    name, text = call["function"]["name"], call["function"]["arguments"]
    try:
        arguments = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        arguments = text
    if not isinstance(arguments, dict) or not _can_be_recorded(arguments, DEEPEST):
        arguments = text
    return ToolCall(name, cast("Mapping[str, Any]", arguments), call["id"])


def find_problem(reply: Reply) -> str:
    """What of the reply could not be read, told to the model; empty where all could."""
    # some servers leave the reasoning in the text
    text = (reply.message["content"] or "").rpartition("</think>")[2]
    if MARKUP.search(text):
        cut = " It was cut off at the length limit." if reply.finish_reason == "length" else ""
        return render("tools_unreadable.md", problem=f"A tool call in your reply could not be read.{cut}")
    if reply.message.get("tool_calls"):
        return ""
    if reply.finish_reason == "length":
        problem = "Your reply was cut off at the length limit before it called a tool. Be shorter."
        return render("tools_unreadable.md", problem=problem)
    return "" if text.strip() else render("tools_unreadable.md", problem="Your reply was empty.")


def how_to_submit(tools: ToolPool) -> str:
    """How work is handed in with these tools, as the end of a sentence."""
    return "call `submit`" if "submit" in tools else "reply with your final answer and without a tool call"


def _can_be_recorded(value: object, levels: int) -> bool:
    """Whether it survives JSON: no NaN, no infinity, not nested without end."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return levels > 0 and all(_can_be_recorded(part, levels - 1) for part in parts)
    return not isinstance(value, float) or math.isfinite(value)
