"""What the real command-line agents send, from tests/golden/wire: it is understood, and told apart as it should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentgym.gateway.dialects import Dialect, chat, messages
from agentgym.models.scripted import ScriptedModel
from agentgym.protocols import Message, Model, Reply
from tests.gateway.dialects import clients
from tests.gateway.served import Served

WIRE = Path(__file__).parents[1] / "golden" / "wire"
AGENTS = [("claude-code", messages), ("kilo", chat), ("droid", chat)]


def recorded(agent: str) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = json.loads((WIRE / f"{agent}.json").read_text())
    return requests


def as_recorded(dialect: Dialect, requests: list[dict[str, Any]]) -> ScriptedModel:
    """Says what the agent was told when it was recorded: its last request tells."""
    last = dialect.parse(requests[-1]["body"], "m").messages
    replies = [Reply(message) for message in last if message["role"] == "assistant"]

    def say(said: Any) -> Reply:
        n_said = sum(message["role"] == "assistant" for message in said)
        return replies[n_said] if n_said < len(replies) else Reply({"role": "assistant", "content": "Done."})

    return ScriptedModel(say)


@pytest.mark.parametrize(("agent", "dialect"), AGENTS)
def test_every_request_is_answered_and_hangs_where_it_belongs(
    agent: str, dialect: Dialect, serve: Callable[[Model], Served]
) -> None:
    requests = recorded(agent)
    served = serve(as_recorded(dialect, requests))
    main = []
    for request in requests:
        response = served.http.request(
            request["method"],
            request["path"],
            headers=request["headers"],
            content=json.dumps(request["body"]) if request["body"] else None,
        )
        assert response.status_code == 200, response.text
        if request["body"]:
            assert response.headers["content-type"] == "text/event-stream"
            assert getattr(clients, dialect.NAME)(response.content)
            if request["body"].get("tools"):
                main.append(len(served.session.calls) - 1)
    calls = served.session.calls
    assert len(calls) == sum(request["body"] is not None for request in requests)
    first, *others = main
    assert calls[first].parent is None
    for before, call in zip(main, others, strict=False):
        assert (calls[call].parent, calls[call].drift) == (before, "clean")
        assert calls[call].tools is None
    assert all(call.stripped == [] for call in calls)


def test_what_claude_code_says_beside_the_conversation_is_no_part_of_it() -> None:
    for request in recorded("claude-code"):
        if not request["body"]:
            continue
        said = messages.parse(request["body"], "m").messages
        roles: list[str] = [message["role"] for message in said]
        assert roles[0] == "system"
        assert roles.count("system") == (2 if request["body"].get("tools") else 1)  # one in mid-conversation
        assert not any("x-anthropic-billing-header" in (message["content"] or "") for message in said)


def test_results_of_claude_codes_tools_are_tool_messages() -> None:
    *_, request = recorded("claude-code")
    said: list[Message] = messages.parse(request["body"], "m").messages
    [call] = [message for message in said if message.get("tool_calls")]
    [result] = [message for message in said if message["role"] == "tool"]
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]
    assert result["content"] == "(Bash completed with no output)"
