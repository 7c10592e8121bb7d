from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.chat import ChatML, Extension, Fork, ForkReason, Held, MiniMaxM2, Renderer, bridge
from tests.policy.chat.conversations import body, call, histories, inputs, replies, tool
from tests.policy.vocabularies import minimax_tokenizer, smollm2_tokenizer

TOOL = tool("f", {"x": "string"})


@pytest.fixture(scope="module", params=[ChatML, MiniMaxM2])
def renderer(request: pytest.FixtureRequest) -> Renderer:
    return ChatML(smollm2_tokenizer()) if request.param is ChatML else MiniMaxM2(minimax_tokenizer())


def after(renderer: Renderer, messages: list[dict[str, Any]], sampled: tuple[int, ...], tools: Any = ()) -> Held:
    prompt = renderer.render(messages, tools)
    return Held.after(messages, tools, prompt, sampled, renderer.parse(sampled, tools).message())


@settings(max_examples=100, deadline=None)
@given(histories(), st.lists(st.integers(0, 600), max_size=20), st.lists(inputs(), min_size=1, max_size=3))
def test_what_is_held_stays_byte_for_byte(
    renderer: Renderer, messages: list[dict[str, Any]], sampled: list[int], tail: list[dict[str, Any]]
) -> None:
    """For any ids at all, those included that nobody's encoding would give; over two turns."""
    held = after(renderer, messages, tuple(sampled), [TOOL])
    for _ in range(2):
        asked = [*held.messages, *tail]
        extension = bridge(renderer, held, asked, [TOOL])
        assert isinstance(extension, Extension)
        assert extension.rendered.ids[: extension.n_held] == held.rendered.ids
        ends = [0, *(span.end for span in extension.rendered.spans)]
        assert [span.start for span in extension.rendered.spans] == ends[:-1]
        assert ends[-1] == len(extension.rendered.ids)
        numbered = [span.message for span in extension.rendered.spans if span.message is not None]
        assert numbered == list(range(len(asked)))
        reply = next(span for span in extension.rendered.spans if span.message == len(held.messages) - 1)
        assert (reply.role, extension.rendered.ids[reply.body_start : reply.body_end]) == (
            "assistant",
            body(held.rendered, renderer.tokenizer),
        )
        held = Held.after(asked, [TOOL], extension.rendered, sampled, renderer.parse(sampled, [TOOL]).message())


@settings(max_examples=100, deadline=None)
@given(histories(), replies(), st.lists(inputs(), min_size=1, max_size=3))
def test_a_reply_in_the_renderers_own_words_extends_to_what_would_be_rendered(
    renderer: Renderer,
    messages: list[dict[str, Any]],
    reply: tuple[dict[str, Any], list[dict[str, Any]]],
    tail: list[dict[str, Any]],
) -> None:
    message, tools = reply
    message = {"reasoning_content": "hm", **message}
    whole = renderer.render([*messages, message, *tail], tools)
    own = next(span for span in whole.spans if span.message == len(messages))
    prompt = renderer.render(messages, tools)
    if isinstance(renderer, ChatML):  # its replies do not begin in thought
        assert whole.ids[: len(prompt.ids)] == prompt.ids
    assert own.body_start == len(prompt.ids)
    held = Held.after(messages, tools, prompt, whole.ids[own.body_start : own.body_end], message)
    extension = bridge(renderer, held, [*messages, message, *tail], tools)
    assert isinstance(extension, Extension)
    assert extension.rendered == whole


def test_a_reply_that_was_cut_off_is_closed(renderer: Renderer) -> None:
    sampled = tuple(renderer.tokenizer.encode("half a sent"))
    held = after(renderer, [{"role": "user", "content": "?"}], sampled)
    ids = bridge(renderer, held, [*held.messages, {"role": "user", "content": "go on"}]).rendered.ids
    [end] = [id for id in renderer.stop_ids if ids[len(held.rendered.ids)] == id]
    assert ids[: len(held.rendered.ids) + 1] == (*held.rendered.ids, end)


HISTORY = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": "u"},
    {"role": "assistant", "content": "old"},
    {"role": "user", "content": "v"},
]


@pytest.mark.parametrize(
    ("change", "reason", "message"),
    [
        (lambda asked: [{"role": "system", "content": "other"}, *asked[1:]], ForkReason.MESSAGE, 0),
        (lambda asked: [*asked[:2], {"role": "assistant", "content": "older"}, *asked[3:]], ForkReason.REPLY, 2),
        (lambda asked: [*asked[:4], {**asked[4], "content": "new"}, *asked[5:]], ForkReason.REPLY, 4),
        (lambda asked: [*asked[:4], {**asked[4], "tool_calls": [call("f", {})]}, *asked[5:]], ForkReason.REPLY, 4),
        (lambda asked: [*asked[:4], {"role": "user", "content": "instead"}], ForkReason.MESSAGE, 4),
        (lambda asked: asked[:2], ForkReason.SHORTENED, 2),
        (lambda asked: [asked[0], {"role": "user", "content": "summary"}], ForkReason.MESSAGE, 1),
    ],
)  # fmt: skip
def test_a_rewritten_history_is_a_declared_fork(
    renderer: Renderer, change: Any, reason: ForkReason, message: int
) -> None:
    held = after(renderer, HISTORY, tuple(renderer.tokenizer.encode("</think>w", parse_added=True)))
    asked = change([*held.messages, {"role": "user", "content": "next"}])
    fork = bridge(renderer, held, asked)
    assert isinstance(fork, Fork)
    assert (fork.reason, fork.message) == (reason, message)
    assert fork.rendered == renderer.render(asked)


def test_other_tools_are_a_fork(renderer: Renderer) -> None:
    held = after(renderer, HISTORY, (), [TOOL])
    fork = bridge(renderer, held, held.messages, [])
    assert isinstance(fork, Fork)
    assert (fork.reason, fork.message) == (ForkReason.TOOLS, None)


def test_clients_that_keep_no_reasoning_and_name_calls_anew_extend(renderer: Renderer) -> None:
    """And so do those that write the arguments' JSON in their own way."""
    message = {"role": "assistant", "reasoning_content": "hm", "content": "", "tool_calls": [call("f", {"x": "y"})]}
    whole = renderer.render([*HISTORY, message], [TOOL], reply=False)
    held = after(renderer, HISTORY, body(whole, renderer.tokenizer), [TOOL])
    assert held.messages[-1]["reasoning_content"] == "hm"
    echoed = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "mine", "type": "function", "function": {"name": "f", "arguments": '{"x":"y"}'}}],
    }
    extension = bridge(
        renderer, held, [*HISTORY, echoed, {"role": "tool", "content": "z", "tool_call_id": "mine"}], [TOOL]
    )
    assert isinstance(extension, Extension)
    assert "hm" in renderer.tokenizer.decode(extension.rendered.ids)
