"""What each dialect reads out of a request, and the one line in which it refuses one."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.gateway.dialects import Dialect, Fault, chat, messages, read_json, responses
from agentgym.protocols import Sampling

USER = {"role": "user", "content": "go"}
FUNCTION = {"name": "bash", "description": "Run.", "parameters": {"type": "object"}}
IN_OPENAIS_SHAPE = [{"type": "function", "function": FUNCTION}]


def text(kind: str, *texts: str) -> list[dict[str, str]]:
    return [{"type": kind, "text": text} for text in texts]


def test_chat_reads_messages_tools_and_sampling() -> None:
    asked = chat.parse(
        {
            "model": "any",
            "messages": [
                {"role": "developer", "content": text("text", "be", "brief")},
                USER,
                {"role": "assistant", "content": None, "reasoning": "hm", "tool_calls": [
                    {"id": "c", "function": {"name": "bash", "arguments": {"command": "ls"}}}
                ]},
                {"role": "tool", "tool_call_id": "c", "content": text("text", "a.py")},
            ],
            "tools": [*IN_OPENAIS_SHAPE, {"type": "web_search"}, {"type": "custom", "custom": {"name": "patch"}}],
            "max_tokens": 5, "max_completion_tokens": 9, "temperature": 0, "top_p": 0.5, "stop": "END",
            "stream": True, "tool_choice": "required", "never_heard_of": {"it": 1},
        },
        "m",
    )  # fmt: skip
    call = {"id": "c", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    assert asked.messages == [
        {"role": "system", "content": "be\nbrief"},
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [call]},
        {"role": "tool", "content": "a.py", "tool_call_id": "c"},
    ]
    assert asked.tools == IN_OPENAIS_SHAPE
    assert asked.sampling == Sampling(9, 0.0, 0.5, ("END",))
    assert asked.stream
    assert asked.stripped == ("web_search", "patch")


def test_messages_reads_blocks_tools_and_sampling() -> None:
    asked = messages.parse(
        {
            "model": "any", "max_tokens": 9, "stop_sequences": ["END", ""], "temperature": 1,
            "system": text("text", "x-anthropic-billing-header: v=1", "be", "brief"),
            "messages": [
                {"role": "user", "content": text("text", "<reminder>", "go")},
                {"role": "system", "content": "agents: none"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "another server's"},
                    {"type": "redacted_thinking", "data": "another server's"},
                    {"type": "text", "text": "I look.", "cache_control": {"type": "ephemeral"}},
                    {"type": "tool_use", "id": "c", "name": "bash", "input": {"command": "ls"}},
                    {"type": "tool_use", "id": "d", "name": "bash", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "text", "text": "now stop"},
                    {"type": "tool_result", "tool_use_id": "c", "content": [
                        {"type": "text", "text": "a.py"}, {"type": "image", "source": {}},
                    ]},
                    {"type": "tool_result", "tool_use_id": "d", "is_error": True, "content": "exit code 2"},
                ]},
            ],
            "tools": [
                {"name": "bash", "description": "Run.", "input_schema": {"type": "object"}},
                {"name": "web_search", "type": "web_search_20250305", "max_uses": 8},
            ],
        },
        "m",
    )  # fmt: skip
    one, two = ({"id": id, "type": "function", "function": {"name": "bash", "arguments": a}}
                for id, a in (("c", '{"command": "ls"}'), ("d", "{}")))  # fmt: skip
    assert asked.messages == [
        {"role": "system", "content": "be\nbrief"},
        {"role": "user", "content": "<reminder>\ngo"},
        {"role": "system", "content": "agents: none"},
        {"role": "assistant", "content": "I look.", "reasoning_content": "hm", "tool_calls": [one, two]},
        {"role": "tool", "content": "a.py\n[image: not shown, this model reads text only]", "tool_call_id": "c"},
        {"role": "tool", "content": "error: exit code 2", "tool_call_id": "d"},
        {"role": "user", "content": "now stop"},
    ]
    assert asked.tools == IN_OPENAIS_SHAPE
    assert asked.sampling == Sampling(9, 1.0, None, ("END",))
    assert asked.stripped == ("web_search",)


def test_responses_reads_items_tools_and_sampling() -> None:
    def said(value: str) -> dict[str, Any]:
        return {"type": "message", "role": "assistant", "content": text("output_text", value)}

    def call(id: str) -> dict[str, Any]:
        return {"type": "function_call", "call_id": id, "name": "bash", "arguments": "{}"}

    asked = responses.parse(
        {
            "model": "any", "instructions": "be brief", "max_output_tokens": 9, "top_p": 1, "store": True,
            "input": [
                {"role": "developer", "content": text("input_text", "really")},
                USER,
                {"type": "reasoning", "id": "r", "summary": text("summary_text", "hm")},
                said("I look."), call("c"), call("d"),
                {"type": "function_call_output", "call_id": "c", "output": "a.py"},
                {"type": "function_call_output", "call_id": "d", "output": text("input_text", "b.py")},
                said("Done."), said("Really."),
            ],
            "tools": [{"type": "function", **FUNCTION, "strict": True}, {"type": "web_search"}],
        },
        "m",
    )  # fmt: skip
    one, two = ({"id": id, "type": "function", "function": {"name": "bash", "arguments": "{}"}} for id in "cd")
    assert asked.messages == [
        {"role": "system", "content": "be brief"},
        {"role": "system", "content": "really"},
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "I look.", "reasoning_content": "hm", "tool_calls": [one, two]},
        {"role": "tool", "content": "a.py", "tool_call_id": "c"},
        {"role": "tool", "content": "b.py", "tool_call_id": "d"},
        {"role": "assistant", "content": "Done."},
        {"role": "assistant", "content": "Really."},
    ]
    assert asked.tools == IN_OPENAIS_SHAPE
    assert asked.sampling == Sampling(9, None, 1.0)
    assert asked.stripped == ("web_search",)


def test_responses_reads_a_text_alone() -> None:
    assert responses.parse({"input": "go"}, "m").messages == [{"role": "user", "content": "go"}]


IMAGES = "wanted text: this model reads text only, leave it out"
NOT_STORED = "wanted the whole conversation in `input`: nothing is stored here"
REFUSED: list[tuple[Dialect, dict[str, Any], str]] = [
    (chat, {}, "messages: Field required"),
    (chat, {"messages": []}, "messages: List should have at least 1 item after validation, not 0, found []"),
    (chat, {"messages": "go"}, "messages: Input should be a valid list, found 'go'"),
    (chat, {"messages": ["go"]}, "messages[0]: Input should be an object, found 'go'"),
    (chat, {"messages": [USER], "n": 2}, "n: found 2, wanted 1: ask again for another reply"),
    (chat, {"messages": [USER], "functions": [{}]}, "functions: found the old form of tools, wanted them in `tools`"),
    (chat, {"messages": [USER], "max_tokens": 0}, "max_tokens: Input should be greater than 0, found 0"),
    (chat, {"messages": [USER, {"role": "tool", "content": "x"}]},
     "messages[1]: found a tool message without tool_call_id, wanted the id of the call that it answers"),
    (chat, {"messages": [{"role": "user"}]}, "messages[0]: found a user message without content, wanted text"),
    (chat, {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]},
     f"messages[0].content[0]: found image_url, {IMAGES}"),
    (chat, {"messages": [USER], "tools": [{"type": "function"}]},
     'tools[0]: found a tool without "function", wanted its name, description and parameters'),
    (messages, {"messages": [USER]}, "max_tokens: Field required"),
    (messages, {"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
     f"messages[0].content[0]: found image, {IMAGES}"),
    (messages, {"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "text"}]}]},
     "messages[0].content[0].text: Field required"),
    (messages, {"max_tokens": 1, "messages": [USER, {"role": "assistant", "content": "I"}]},
     "the body: found an assistant message at the end, wanted a user's: no reply is begun for the model"),
    (messages, {"max_tokens": 1, "messages": [USER], "tools": [{"name": "bash"}]},
     'tools[0]: found a tool without "input_schema", wanted the JSON schema of its arguments'),
    (responses, {}, "input: Field required"),
    (responses, {"input": []}, "input: found nothing, wanted a text or items"),
    (responses, {"input": "go", "previous_response_id": "r"}, f"previous_response_id: found 'r', {NOT_STORED}"),
    (responses, {"input": "go", "background": True}, f"background: found True, {NOT_STORED}"),
    (responses, {"input": [{"type": "item_reference", "id": "i"}]},
     "input[0]: found an item_reference, wanted the item itself: nothing is stored here, set store to false"),
    (responses, {"input": [{"type": "web_search_call"}]},
     "input[0]: Input should be a message, function_call, function_call_output, reasoning, "
     "found {'type': 'web_search_call'}"),
    (responses, {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
     f"input[0].content[0]: found input_image, {IMAGES}"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "body", "line"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_refusal_is_one_line(dialect: Dialect, body: dict[str, Any], line: str) -> None:
    with pytest.raises(Fault) as refused:
        dialect.parse(body, "m")
    assert (refused.value.kind, refused.value.message) == ("bad_request", line)
    assert line in str(dialect.refusal(refused.value))


def test_a_text_cut_in_the_middle_of_an_emoji_is_mended() -> None:
    assert read_json(b'{"a": "cut \\ud83d", "b": "\\ud83d\\ude82 \\\\ud83d"}') == {
        "a": "cut \N{REPLACEMENT CHARACTER}",
        "b": "\N{STEAM LOCOMOTIVE} \\ud83d",
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"nothing", b"[]", b'{"a": 1} {}', b'{"a": NaN}', b'{"a": 1e999}', b'{"a": -1e999}', b'\xff\xfe{"a": 1}',
        b'{"a": "\\ud83d", "b": NaN}', b'{"a": ' + b"9" * 5000 + b"}", b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"1" * 400 + b".0}", b'{"\\u0061": ' + b"[" * 100_000,
    ],
    ids=lambda raw: repr(raw[:16]),
)  # fmt: skip
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(Fault, match=r"^found .* wanted a JSON object$"):
        read_json(raw)


def test_hashes_that_look_like_huge_numbers_are_texts() -> None:
    assert read_json(b'{"commit": "0e999f1", "n": 1e300}') == {"commit": "0e999f1", "n": 1e300}
