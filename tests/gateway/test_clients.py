"""The official clients of OpenAI and Anthropic, unmodified, against a served session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest

from agentgym.errors import ModelError
from agentgym.models import ContextOverflow
from agentgym.protocols import Delta, Message, Model, Reply, Usage
from tests.gateway.served import Served, Speaker

Serve = Callable[[Model], Served]
TOOLS_SCHEMA: dict[str, Any] = {"type": "object", "properties": {"command": {"type": "string"}}}
FUNCTION: dict[str, Any] = {"name": "bash", "description": "Run.", "parameters": TOOLS_SCHEMA}
MESSAGE: Message = {
    "role": "assistant",
    "content": "I look.",
    "reasoning_content": "hm, so",
    "tool_calls": [
        {"id": f"call_{n}", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
        for n in range(2)
    ],
}
WORKING = [
    Delta("reasoning", "hm, "),
    Delta("reasoning", "so"),
    Delta("content", "I "),
    Delta("content", "look."),
    Reply(MESSAGE, "tool_calls", Usage(11, 7)),
]


def openai_client(served: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.base_url}/v1", api_key=served.session.key)


def anthropic_client(served: Served) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=served.base_url, api_key=served.session.key)


@pytest.fixture
def working(serve: Serve) -> Served:
    return serve(Speaker(*WORKING))


@pytest.fixture
def as_openai(working: Served) -> Iterator[openai.OpenAI]:
    with openai_client(working) as client:
        yield client


@pytest.fixture
def as_anthropic(working: Served) -> Iterator[anthropic.Anthropic]:
    with anthropic_client(working) as client:
        yield client


def goes_on(served: Served) -> None:
    """The second call was understood as the first one's continuation."""
    first, second = served.session.calls
    assert (first.parent, second.parent, second.n_kept) == (None, 0, 2)
    assert second.drift in ("clean", "realigned")
    assert [message["role"] for message in second.messages] == ["tool", "tool"]


@pytest.mark.parametrize("stream", [False, True])
def test_chat_completions(stream: bool, as_openai: openai.OpenAI, working: Served) -> None:
    conversation: list[Any] = [{"role": "user", "content": "go"}]
    tools: Any = [{"type": "function", "function": FUNCTION}]
    if stream:
        with as_openai.chat.completions.stream(
            model="any", messages=conversation, tools=tools, stream_options={"include_usage": True}
        ) as events:
            completion: Any = events.get_final_completion()
    else:
        completion = as_openai.chat.completions.create(model="any", messages=conversation, tools=tools)
    [choice] = completion.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "I look.")
    assert choice.message.reasoning_content == "hm, so"
    assert [call.function.arguments for call in choice.message.tool_calls] == ['{"command": "ls"}'] * 2
    assert completion.usage.total_tokens == 18
    conversation.append(choice.message.model_dump(exclude_none=True))
    conversation += [{"role": "tool", "tool_call_id": call.id, "content": "a.py"} for call in choice.message.tool_calls]
    as_openai.chat.completions.create(model="any", messages=conversation, tools=tools)
    goes_on(working)


@pytest.mark.parametrize("stream", [False, True])
def test_responses(stream: bool, as_openai: openai.OpenAI, working: Served) -> None:
    conversation: list[Any] = [{"role": "user", "content": "go"}]
    tools: Any = [{"type": "function", **FUNCTION, "strict": False}]
    if stream:
        with as_openai.responses.stream(model="any", input=conversation, tools=tools) as events:
            response: Any = events.get_final_response()
    else:
        response = as_openai.responses.create(model="any", input=conversation, tools=tools)
    assert (response.status, response.output_text) == ("completed", "I look.")
    assert response.output[0].summary[0].text == "hm, so"
    calls = [item for item in response.output if item.type == "function_call"]
    assert [call.arguments for call in calls] == ['{"command": "ls"}'] * 2
    assert response.usage.total_tokens == 18
    conversation += [item.model_dump(exclude_none=True) for item in response.output]
    conversation += [{"type": "function_call_output", "call_id": call.call_id, "output": "a.py"} for call in calls]
    as_openai.responses.create(model="any", input=conversation, tools=tools)
    goes_on(working)


@pytest.mark.parametrize("stream", [False, True])
def test_messages(stream: bool, as_anthropic: anthropic.Anthropic, working: Served) -> None:
    conversation: list[Any] = [{"role": "user", "content": "go"}]
    tools: Any = [{"name": "bash", "description": "Run.", "input_schema": TOOLS_SCHEMA}]
    if stream:
        with as_anthropic.messages.stream(model="any", max_tokens=99, messages=conversation, tools=tools) as events:
            message: Any = events.get_final_message()
    else:
        message = as_anthropic.messages.create(model="any", max_tokens=99, messages=conversation, tools=tools)
    thinking, text, *calls = message.content
    assert (message.stop_reason, text.text, thinking.thinking) == ("tool_use", "I look.", "hm, so")
    assert [(call.name, call.input) for call in calls] == [("bash", {"command": "ls"})] * 2
    assert (message.usage.input_tokens, message.usage.output_tokens) == (11, 7)
    conversation.append({"role": "assistant", "content": [block.model_dump() for block in message.content]})
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "a.py"} for call in calls]
    conversation.append({"role": "user", "content": results})
    as_anthropic.messages.create(model="any", max_tokens=99, messages=conversation, tools=tools)
    goes_on(working)


def test_other_calls(as_openai: openai.OpenAI, as_anthropic: anthropic.Anthropic) -> None:
    assert [model.id for model in as_openai.models.list()] == ["speaker"]
    assert [model.id for model in as_anthropic.models.list()] == ["speaker"]
    assert as_anthropic.models.retrieve("opus").id == "opus"
    counted = as_anthropic.messages.count_tokens(model="any", messages=[{"role": "user", "content": "go"}])
    assert counted.input_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
def test_refusals_are_the_clients_own_errors_and_not_tried_again(stream: bool, serve: Serve) -> None:
    speaker = Speaker(ContextOverflow("9 tokens do not fit 8"))
    served = serve(speaker)
    with openai_client(served) as as_openai, pytest.raises(openai.BadRequestError) as refused:
        as_openai.chat.completions.create(model="any", messages=[{"role": "user", "content": "go"}], stream=stream)
    assert refused.value.code == "context_length_exceeded"
    with anthropic_client(served) as as_anthropic, pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        as_anthropic.messages.create(
            model="any", max_tokens=9, messages=[{"role": "user", "content": "go"}], stream=stream
        )
    speaker.pieces = [ModelError("gone")]
    with openai_client(served) as as_openai, pytest.raises(openai.InternalServerError, match="gone"):
        as_openai.responses.create(model="any", input="go", stream=stream)
    served.session.seal()
    with anthropic_client(served) as as_anthropic, pytest.raises(anthropic.ConflictError):
        as_anthropic.messages.create(model="any", max_tokens=9, messages=[{"role": "user", "content": "go"}])
    assert len(speaker.asked) == 3


def test_a_client_comes_again_when_the_model_is_back(serve: Serve) -> None:
    busy = ModelError("new weights are being taken in")
    busy.retry_after_s = 1.0
    speaker = Speaker()

    def is_back() -> None:
        if len(speaker.asked) == 1:
            raise busy

    speaker.pieces = [is_back, *WORKING]
    served = serve(speaker)
    with anthropic_client(served) as client:
        message: Any = client.messages.create(model="any", max_tokens=9, messages=[{"role": "user", "content": "go"}])
    assert message.content[1].text == "I look."
    assert [bool(call.error) for call in served.session.calls] == [True, False]
