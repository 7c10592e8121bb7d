from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policy.chat import Call, ChatML, MiniMaxM2, RenderError, choose_renderer
from policy.tokenizer import Tokenizer, TokenizerError
from tests.policy.chat.conversations import TEXTS, body, call, essential, histories, replies, tool
from tests.policy.vocabularies import minimax_definition, minimax_tokenizer, smollm2_tokenizer

WEATHER = tool("weather", {"city": "string", "days": "integer"})
WRITE = tool("write", {"path": "string", "content": "string"})

# written by hand after the published template (docs/tool_calling_guide.md of MiniMax-M2 shows the same)
CONVERSATION = """\
]~!b[]~b]system
You are a helpful assistant.

# Tools
You may call one or more tools to assist with the user query.
Here are the tools available in JSONSchema format:

<tools>
<tool>{"name": "weather", "description": "Does it.", "parameters": {"type": "object", "properties": \
{"city": {"type": "string"}, "days": {"type": "integer"}}}}</tool>
</tools>

When making tool calls, use XML format to invoke tools and pass parameters:

<minimax:tool_call>
<invoke name="tool-name-1">
<parameter name="param-key-1">param-value-1</parameter>
<parameter name="param-key-2">param-value-2</parameter>
...
</invoke>
</minimax:tool_call>[e~[
]~b]user
Weather?[e~[
]~b]ai
<think>
Two calls.
</think>

Let me look.
<minimax:tool_call>
<invoke name="weather">
<parameter name="city">Rome</parameter>
<parameter name="days">3</parameter>
</invoke>
<invoke name="weather">
<parameter name="city">Oslo</parameter>
</invoke>
</minimax:tool_call>[e~[
]~b]tool
<response>sun</response>
<response>snow</response>[e~[
]~b]ai
<think>
"""


@pytest.fixture(scope="module")
def m2() -> MiniMaxM2:
    return MiniMaxM2(minimax_tokenizer())


def test_a_conversation_as_published(m2: MiniMaxM2) -> None:
    messages = [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "reasoning_content": "Two calls.",
            "content": "Let me look.",
            "tool_calls": [call("weather", {"city": "Rome", "days": 3}), call("weather", {"city": "Oslo"})],
        },
        {"role": "tool", "content": "sun", "tool_call_id": "call_1"},
        {"role": "tool", "content": "snow", "tool_call_id": "call_2"},
    ]
    ids = m2.render(messages, [WEATHER]).ids
    assert m2.tokenizer.decode(ids) == CONVERSATION
    assert list(ids) == m2.tokenizer.encode(CONVERSATION, parse_added=True)


def test_the_default_system_prompt_is_the_templates() -> None:
    definition = json.loads(minimax_definition())
    named = Tokenizer(definition, chat_template='{%- set model_identity = "You are MiniMax-M2.5." -%}')
    assert "You are MiniMax-M2.5." in named.decode(MiniMaxM2(named).render([{"role": "user", "content": "hi"}]).ids)


def sampled(m2: MiniMaxM2, message: dict[str, Any], tools: list[dict[str, Any]]) -> tuple[int, ...]:
    """The ids of this reply as they come after the prompt, which has opened the thinking."""
    rendered = m2.render([{"role": "user", "content": "?"}, message], tools, reply=False)
    ids = body(rendered, m2.tokenizer)
    return ids if "reasoning_content" in message else (*m2.tokenizer.encode("</think>\n\n", parse_added=True), *ids)


@settings(max_examples=200, deadline=None)
@given(replies())
def test_rendered_and_parsed_is_the_same(m2: MiniMaxM2, reply: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    """Whatever markup the texts spell. One thing has no reading: a value that ends a parameter and goes on like a call."""
    message, tools = reply
    values = [
        value
        for c in message.get("tool_calls", [])
        for value in json.loads(c["function"]["arguments"]).values()
        if not isinstance(value, int | float)
    ]
    assume(
        not any(
            "</parameter>" in (spelled := str(value)) and ("</invoke>" in spelled or "name=" in spelled)
            for value in values
        )
    )
    parsed = m2.parse(sampled(m2, message, tools), tools)
    assert parsed.ended
    assert parsed.malformed == ()
    assert essential(parsed.message()) == essential(message)


@pytest.mark.parametrize(
    "content",
    ["</parameter>", "a</parameter>\n", "\n</parameter>\n</parameter>", "</invoke>\n", "<minimax:tool_call>", "</minimax:tool_call>",
     "[e~[", "  indented\n\n", "null", "12", '"quoted"', "</think>", "</parameter>\n</invoke>\n and then text", "</parameter> <parameter>"],
)  # fmt: skip
def test_a_string_is_read_as_it_was_written(m2: MiniMaxM2, content: str) -> None:
    message = {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            call("write", {"path": "x", "content": content}),
            call("write", {"path": "y", "content": content}),
        ],
    }
    parsed = m2.parse(sampled(m2, message, [WRITE]), [WRITE])
    assert list(parsed.calls) == [
        Call("write", {"path": "x", "content": content}),
        Call("write", {"path": "y", "content": content}),
    ]


def reply_ids(m2: MiniMaxM2, text: str) -> list[int]:
    """A reply as a model writes it, its markup being tokens."""
    return m2.tokenizer.encode(text, parse_added=True)


INVOKE = '<invoke name="weather">\n<parameter name="city">Rome</parameter>\n</invoke>'
ROME = Call("weather", {"city": "Rome"})


@pytest.mark.parametrize(
    ("text", "calls", "content", "problem"),
    [
        (f"hm</think><minimax:tool_call>{INVOKE}</minimax:tool_call>", [ROME], "", ""),
        (f"</think>a\n<minimax:tool_call>{INVOKE}</minimax:tool_call>\n<minimax:tool_call>{INVOKE}</minimax:tool_call>\n", [ROME, ROME], "a", ""),
        ("</think><minimax:tool_call><invoke name='weather'><parameter name=city>Rome</parameter></invoke></minimax:tool_call>", [ROME], "", ""),
        ("</think><minimax:tool_call><invoke name=\"go\"></invoke></minimax:tool_call>", [Call("go", {})], "", ""),
        ("</think><minimax:tool_call></minimax:tool_call>", [], None, "stands something that is none"),
        ("</think><minimax:tool_call>what</minimax:tool_call>", [], None, "stands something that is none"),
        (f"</think><minimax:tool_call>{INVOKE}", [], None, "not closed by </minimax:tool_call>"),
        (f"</think><minimax:tool_call>{INVOKE}rest</minimax:tool_call>", [], None, "parameter city of a call of weather is not closed"),
        ("</think><minimax:tool_call><invoke name=\"go\">x</invoke></minimax:tool_call>", [], None, "holds something that is no parameter"),
        ("</think><minimax:tool_call><invoke name=\"go\"></minimax:tool_call>", [], None, "is not closed"),
        ("</think><minimax:tool_call><invoke name=\"go\"><parameter name=\"x\">1</invoke></minimax:tool_call>", [], None, "parameter x of a call of go is not closed"),
        (f"</think><minimax:tool_call>?</minimax:tool_call><minimax:tool_call>{INVOKE}</minimax:tool_call>", [ROME], "<minimax:tool_call>?</minimax:tool_call>", "is none"),
        ("</think>no call, </parameter>", [], "no call, </parameter>", ""),
    ],
)  # fmt: skip
def test_calls_as_models_write_them(
    m2: MiniMaxM2, text: str, calls: list[Call], content: str | None, problem: str
) -> None:
    parsed = m2.parse(reply_ids(m2, text), [WEATHER])
    assert list(parsed.calls) == calls
    assert parsed.content == (text.removeprefix("</think>") if content is None else content)
    assert len(parsed.malformed) == bool(problem)
    assert problem in "".join(parsed.malformed)


@pytest.mark.parametrize(
    ("text", "reasoning", "content"),
    [
        ("hm\n</think>\n\nyes", "hm", "yes"),
        ("<think>\nhm\n</think>\n\n\nyes", "hm", "\nyes"),
        ("</think>yes", "", "yes"),
        ("still thin", "still thin", ""),
        ("", "", ""),
    ],
)
def test_a_reply_begins_in_thought(m2: MiniMaxM2, text: str, reasoning: str, content: str) -> None:
    parsed = m2.parse(reply_ids(m2, text))
    assert (parsed.reasoning, parsed.content, parsed.ended) == (reasoning, content, False)


def test_arguments_that_are_no_object_are_shown_as_they_are(m2: MiniMaxM2) -> None:
    broken = {"id": "1", "type": "function", "function": {"name": "go", "arguments": '{"x": '}}
    rendered = m2.render(
        [{"role": "user", "content": "?"}, {"role": "assistant", "content": None, "tool_calls": [broken]}]
    )
    assert '<invoke name="go">\n{"x": \n</invoke>' in m2.tokenizer.decode(rendered.ids)


@settings(max_examples=50, deadline=None)
@given(histories())
def test_nobody_forges_a_turn(m2: MiniMaxM2, messages: list[dict[str, Any]]) -> None:
    rendered = m2.render(messages, [WEATHER])
    merged = sum(a["role"] == b["role"] == "tool" for a, b in pairwise(messages))
    turns = len(messages) + (messages[0]["role"] != "system") - merged
    assert rendered.ids.count(m2.tokenizer.token_id("[e~[")) == turns
    assert rendered.ids.count(m2.tokenizer.token_id("]~b]")) == turns + 1
    ends = [0, *(span.end for span in rendered.spans)]
    assert ends[-1] == len(rendered.ids)
    assert [span.start for span in rendered.spans] == ends[:-1]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 620), max_size=30), TEXTS)
def test_no_ids_make_it_raise(m2: MiniMaxM2, ids: list[int], text: str) -> None:
    start = reply_ids(m2, '</think><minimax:tool_call><invoke name="weather"><parameter name="days">')
    for tail in (ids, m2.tokenizer.encode(text), reply_ids(m2, text)):
        for ids_ in (
            tail,
            [*start, *tail],
            [*start, *tail, *reply_ids(m2, "</parameter></invoke></minimax:tool_call>")],
        ):
            message = m2.parse(ids_, [WEATHER]).message()
            assert json.loads(json.dumps(message)) == message


def test_roles_it_has_no_name_for_are_refused(m2: MiniMaxM2) -> None:
    with pytest.raises(
        RenderError, match="found a message of role 'developer', wanted one of system, user, assistant, tool"
    ):
        m2.render([{"role": "developer", "content": "hi"}])


def test_the_format_is_chosen_by_the_vocabulary() -> None:
    assert isinstance(choose_renderer(minimax_tokenizer()), MiniMaxM2)
    assert isinstance(choose_renderer(smollm2_tokenizer()), ChatML)
    definition = json.loads(minimax_definition())
    definition["added_tokens"] = []
    with pytest.raises(TokenizerError, match="no chat format fits the added tokens none; wanted"):
        choose_renderer(Tokenizer(definition))
