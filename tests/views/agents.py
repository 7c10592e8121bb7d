"""Agents that ask a real session: what they leave is what the gateway records of any agent."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentgym.call import Call
from agentgym.gateway import Gateway
from agentgym.protocols import Message, Model, Reply, Sampling, Usage
from tests.gateway.fakes import TokenFake

BASH = {"type": "function", "function": {"name": "bash", "parameters": {"type": "object"}}}
TASK_TOOL = {"type": "function", "function": {"name": "task", "parameters": {"type": "object"}}}


def system(text: str = "Work.") -> Message:
    return {"role": "system", "content": text}


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def result(id: str, text: str) -> Message:
    return {"role": "tool", "content": text, "tool_call_id": id}


def calling(*asked: tuple[str, str, Any], text: str | None = None, **more: Any) -> Message:
    """A reply with tool calls: (id, name, arguments)."""
    calls: list[Any] = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": _text(arguments)}}
        for id, name, arguments in asked
    ]
    return {"role": "assistant", "content": text, "tool_calls": calls, **more}  # type: ignore[typeddict-item]


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def saying(text: str) -> Message:
    return {"role": "assistant", "content": text}


class Script:
    """A model without tokens that gives these replies in turn."""

    name = "script"

    def __init__(self, *replies: Message) -> None:
        self._replies: Iterator[Message] = iter(replies)

    def reply(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = (), sampling: Sampling | None = None
    ) -> Reply:
        message = next(self._replies)
        return Reply(message, "tool_calls" if "tool_calls" in message else "stop", Usage(10 * len(messages), 5))


class Recording:
    """Asks a model through a session of the gateway."""

    def __init__(self, model: Model) -> None:
        self._session = Gateway().open(model)

    @classmethod
    def of(cls, *replies: Message) -> Recording:
        return cls(Script(*replies))

    @classmethod
    def with_tokens(cls, seed: int = 0) -> Recording:
        """The model says something else every time."""
        count = itertools.count()
        return cls(TokenFake(lambda _: f"word {next(count)}", seed=seed))

    def ask(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> list[Message]:
        """The conversation with the reply at its end."""
        return [*messages, self._session.reply(messages, tools).message]

    @property
    def calls(self) -> list[Call]:
        return self._session.calls


def worked(*, tokens: bool = False) -> list[Call]:
    """An agent's whole day: a title, parallel tools, a subagent, its history compacted and then edited."""
    replies = [
        saying("A title"),
        calling(("a", "bash", {"command": "ls"}), ("b", "bash", '{"command":"pwd"}'), text="Look.", reasoning_content="hm"),
        calling(("c", "task", {"prompt": "Find where the parser is."})),
        calling(("s", "bash", {"command": "grep -rn parse"})),
        saying("In parse.py."),
        calling(("d", "bash", "{broken")),
        saying("So far: the parser is in parse.py."),
        calling(("e", "bash", {"command": "sed -i s/a/b/ parse.py"})),
        calling(("f", "bash", {"command": "pytest"})),
        saying("Done."),
    ]  # fmt: skip
    agent = Recording.with_tokens() if tokens else Recording.of(*replies)
    tools = [BASH, TASK_TOOL]
    agent.ask([system("Write a title."), user("Fix it.")])
    main = agent.ask([system(), user("Fix it.")], tools)
    main = agent.ask([*main, result("a", "parse.py"), result("b", "/app")], tools)
    helper = agent.ask([system("Help."), user("Find where the parser is.")], [BASH])
    agent.ask([*helper, result("s", "parse.py:1")], [BASH])
    main = agent.ask([*main, result("c", "In parse.py.")], tools)
    main = agent.ask([*main, result("d", "not JSON"), user("Sum up.")], tools)
    main = agent.ask([system(), user("Fix it. So far: the parser is in parse.py.")], tools)
    main = agent.ask([*main, result("e", "x" * 100)], tools)
    edited = [*main[:-2], result("e", "[cut]"), main[-1], result("f", "1 passed")]
    agent.ask(edited, tools)
    return agent.calls
