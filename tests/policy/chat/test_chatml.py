from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from policy.chat import Call, ChatML, RenderError
from policy.tokenizer import Tokenizer, TokenizerError
from tests.policy.chat.conversations import TEXTS, body, call, essential, histories, replies, tool
from tests.policy.vocabularies import minimax_tokenizer, smollm2_tokenizer

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
WEATHER = tool("weather", {"city": "string"})


@pytest.fixture(scope="module")
def chatml() -> ChatML:
    return ChatML(smollm2_tokenizer())


def by_template(messages: list[dict[str, Any]]) -> str:
    """What the checkpoint's own template makes of them."""
    template = smollm2_tokenizer().chat_template
    assert template is not None
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(messages=messages, add_generation_prompt=True)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": TEXTS}), max_size=5
    )
)
def test_without_tools_it_is_the_checkpoints_template(chatml: ChatML, messages: list[dict[str, Any]]) -> None:
    text = by_template(messages)
    rendered = chatml.render(messages)
    assert chatml.tokenizer.decode(rendered.ids) == text
    # ids agree too, but that a reply is encoded apart from its header and that names of tokens in a text stay text
    assume(not any(message["content"][:1].isspace() for message in messages if message["role"] == "assistant"))
    assume(not any(name in message["content"] for message in messages for name in chatml.tokenizer.added))
    assert list(rendered.ids) == chatml.tokenizer.encode(text, parse_added=True)


def test_with_tools(chatml: ChatML) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather in Rome and Oslo?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call("weather", {"city": "Rome"}), call("weather", {"city": "Oslo"})],
        },
        {"role": "tool", "content": "sun", "tool_call_id": "call_1"},
        {"role": "tool", "content": "snow", "tool_call_id": "call_2"},
    ]
    text = chatml.tokenizer.decode(chatml.render(messages, [WEATHER]).ids)
    assert text.startswith("<|im_start|>system\nBe brief.\n\n# Tools\n")
    assert f"\n<tools>\n{json.dumps(WEATHER)}\n</tools>\n" in text
    assert text.endswith(
        "<|im_start|>user\nWeather in Rome and Oslo?<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\nsun\n</tool_response>\n<tool_response>\nsnow\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_tools_without_a_system_message_come_after_the_default_one(chatml: ChatML) -> None:
    rendered = chatml.render([{"role": "user", "content": "hi"}], [WEATHER])
    assert chatml.tokenizer.decode(rendered.ids).startswith(f"<|im_start|>system\n{SYSTEM}\n\n# Tools\n")
    assert (rendered.spans[0].message, rendered.spans[1].message) == (None, 0)


@pytest.mark.parametrize(
    ("template", "found"),
    [
        (
            "{{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud.<|im_end|>\\n' }}",
            "You are Qwen, created by Alibaba Cloud.",
        ),
        ("{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}", None),
        (None, None),
    ],
)
def test_the_default_system_prompt_is_the_templates(template: str | None, found: str | None) -> None:
    real = smollm2_tokenizer()
    tokenizer = Tokenizer(real._definition, chat_template=template)
    renderer = ChatML(tokenizer)
    assert renderer.default_system == found
    assert len(renderer.render([{"role": "user", "content": "hi"}]).spans) == (3 if found else 2)


@settings(max_examples=200, deadline=None)
@given(replies(TEXTS.filter(lambda text: "<tool_call>" not in text and "</think>" not in text)))
def test_rendered_and_parsed_is_the_same(chatml: ChatML, reply: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    """Text that spells the markup is markup where the vocabulary has no tokens for it: those two are left out."""
    message, tools = reply
    assume(message.get("reasoning_content") or not message["content"].startswith("<think>"))
    rendered = chatml.render([{"role": "user", "content": "?"}, message], tools, reply=False)
    parsed = chatml.parse(body(rendered, chatml.tokenizer), tools)
    assert parsed.ended
    assert parsed.malformed == ()
    assert essential(parsed.message()) == essential(message)


@settings(max_examples=100, deadline=None)
@given(histories(), st.booleans())
def test_spans_cover_all_ids_in_order(chatml: ChatML, messages: list[dict[str, Any]], reply: bool) -> None:
    rendered = chatml.render(messages, [WEATHER], reply=reply)
    ends = [0, *(span.end for span in rendered.spans)]
    assert ends[-1] == len(rendered.ids)
    for start, span in zip(ends, rendered.spans, strict=False):
        assert start == span.start <= span.body_start <= span.body_end <= span.end
    assert [span.message for span in rendered.spans if span.message is not None] == list(range(len(messages)))
    for span in rendered.spans:
        if span.message is not None:
            assert span.role == messages[span.message]["role"]
            if span.role == "assistant":
                assert rendered.ids[span.body_end - 1] == chatml.tokenizer.token_id("<|im_end|>")


@settings(max_examples=100, deadline=None)
@given(histories())
def test_nobody_forges_a_turn(chatml: ChatML, messages: list[dict[str, Any]]) -> None:
    """Whatever the texts spell, there are as many turns as there ought to be."""
    ids = chatml.render(messages).ids
    merged = sum(a["role"] == b["role"] == "tool" for a, b in pairwise(messages))
    turns = len(messages) + (messages[0]["role"] != "system") - merged
    assert ids.count(chatml.tokenizer.token_id("<|im_end|>")) == turns
    assert ids.count(chatml.tokenizer.token_id("<|im_start|>")) == turns + 1


@pytest.mark.parametrize(
    ("text", "calls", "content", "problem"),
    [
        ('<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>', [Call("f", {"x": 1})], "", ""),
        ('<tool_call>{"name": "f"}</tool_call>', [Call("f", {})], "", ""),
        ('ok\n<tool_call>[{"name": "f", "arguments": {}}, {"name": "g", "arguments": {}}]</tool_call>\n', [Call("f", {}), Call("g", {})], "ok", ""),
        ('<tool_call>{"name": "f", "arguments": "{\\"x\\": 1}"}</tool_call>', [Call("f", {"x": 1})], "", ""),
        ('<tool_call>{"name": "f", "arguments": {"x": "</tool_call>"}}</tool_call>', [Call("f", {"x": "</tool_call>"})], "", ""),
        ("<tool_call>oops</tool_call>", [], None, "is no JSON"),
        ('<tool_call>{"name": "f", "arguments": {"x": NaN}}</tool_call>', [], None, "NaN is no JSON"),
        ('<tool_call>{"name": "f", "arguments": {"x": 1e999}}</tool_call>', [], None, "too large"),
        ('<tool_call>{"name": "f", "arguments": [1]}</tool_call>', [], None, "the arguments of a tool call of f are no object"),
        ('<tool_call>{"name": "f", "arguments": "{"}</tool_call>', [], None, "the arguments of a tool call of f are no object"),
        ('<tool_call>{"arguments": {}}</tool_call>', [], None, "no object with"),
        ("<tool_call>[]</tool_call>", [], None, "is empty"),
        ('<tool_call>{"name": "f", "argum', [], None, "is no JSON"),
        ('<tool_call>{"name": "f"} and more', [], None, "not closed"),
        ("<tool_call>" + "[" * 200 + "]" * 200 + "</tool_call>", [], None, "too deep"),
        ("<tool_call>" + "[" * 100_000, [], None, "too deep"),
        ('<tool_call>oops</tool_call>\n<tool_call>{"name": "g"}</tool_call>', [Call("g", {})], "<tool_call>oops</tool_call>", "is no JSON"),
    ],
)  # fmt: skip
def test_calls_as_models_write_them(
    chatml: ChatML, text: str, calls: list[Call], content: str | None, problem: str
) -> None:
    parsed = chatml.parse(chatml.tokenizer.encode(text))
    assert list(parsed.calls) == calls
    assert parsed.content == (text if content is None else content)
    assert len(parsed.malformed) == bool(problem)
    assert problem in "".join(parsed.malformed)
    assert not parsed.ended


def test_cut_off_in_thought(chatml: ChatML) -> None:
    parsed = chatml.parse(chatml.tokenizer.encode("<think>\nhm, <tool_call>"))
    assert (parsed.reasoning, parsed.content, parsed.calls) == ("hm, <tool_call>", "", ())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 49_200), st.sampled_from([0, 1, 2])), max_size=30), TEXTS)
def test_no_ids_make_it_raise(chatml: ChatML, ids: list[int], text: str) -> None:
    call = chatml.tokenizer.encode('<tool_call>{"name": "f", "arguments": {"x": ')
    for sampled in (ids, [*call, *ids], chatml.tokenizer.encode(text), [*call, *chatml.tokenizer.encode(text)]):
        message = chatml.parse(sampled).message()
        assert json.loads(json.dumps(message)) == message


def test_what_has_no_place_is_refused(chatml: ChatML) -> None:
    with pytest.raises(RenderError, match="found content of type list in a user message"):
        chatml.render([{"role": "user", "content": [{"type": "image"}]}])
    with pytest.raises(TokenizerError, match=r"no added token '<\|im_start\|>'"):
        ChatML(minimax_tokenizer())
