"""From one turn to the next: what was sampled is in the next prompt, id for id."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.chat import ChatML, Renderer
from tests.policy.chat.conversations import histories, inputs, replies, tool
from tests.policy.chat.formats import FORMATS, renderer_of

TOOL = tool("f", {"x": "string"})


@pytest.fixture(scope="module", params=FORMATS)
def renderer(request: pytest.FixtureRequest) -> Renderer:
    return renderer_of(request.param)


@settings(max_examples=100, deadline=None)
@given(histories(), st.lists(st.integers(0, 600), max_size=20), st.lists(inputs(), min_size=1, max_size=3))
def test_what_was_sampled_stays_id_for_id(
    renderer: Renderer, messages: list[dict[str, Any]], sampled: list[int], tail: list[dict[str, Any]]
) -> None:
    """For any ids at all, those included that nobody's encoding would give; over two turns."""
    prompt = renderer.render(messages, [TOOL])
    n = len(messages)
    for _ in range(2):
        held = (*prompt.ids, *sampled)
        start = len(prompt.ids)
        prompt = renderer.extend(prompt.answered(sampled, n), tail, n + 1)
        assert prompt.ids[: len(held)] == held
        ends = [0, *(span.end for span in prompt.spans)]
        assert [span.start for span in prompt.spans] == ends[:-1]
        assert ends[-1] == len(prompt.ids)
        [reply] = [span for span in prompt.spans if span.message == n]
        assert (reply.role, reply.body_start, reply.body_end) == ("assistant", start, len(held))
        n += 1 + len(tail)
        assert [span.message for span in prompt.spans if span.message is not None] == list(range(n))


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
    n = len(messages)
    whole = renderer.render([*messages, message, *tail], tools)
    own = next(span for span in whole.spans if span.message == n)
    prompt = renderer.render(messages, tools)
    if isinstance(renderer, ChatML):  # its replies do not begin in thought
        assert whole.ids[: len(prompt.ids)] == prompt.ids
    assert own.body_start == len(prompt.ids)
    assert renderer.extend(prompt.answered(whole.ids[own.body_start : own.body_end], n), tail, n + 1) == whole


def test_a_reply_that_was_cut_off_is_closed(renderer: Renderer) -> None:
    prompt = renderer.render([{"role": "user", "content": "?"}])
    held = prompt.answered(renderer.tokenizer.encode("half a sent"), 1)
    ids = renderer.extend(held, [{"role": "user", "content": "go on"}], 2).ids
    assert ids[: len(held.ids)] == held.ids
    assert ids[len(held.ids)] in renderer.stop_ids


def test_a_reply_that_ended_itself_is_not_closed_again(renderer: Renderer) -> None:
    prompt = renderer.render([{"role": "user", "content": "?"}])
    [end] = renderer.stop_ids
    held = prompt.answered([*renderer.tokenizer.encode("whole"), end], 1)
    ids = renderer.extend(held, [{"role": "user", "content": "go on"}], 2).ids
    assert ids[len(held.ids)] not in renderer.stop_ids
    assert ids.count(end) == held.ids.count(end) + 1
