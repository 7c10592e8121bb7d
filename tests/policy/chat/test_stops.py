from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.chat import Renderer
from policy.chat.stops import Stops
from tests.policy.chat.conversations import TEXTS
from tests.policy.chat.formats import FORMATS, renderer_of


@pytest.fixture(scope="module", params=FORMATS)
def renderer(request: pytest.FixtureRequest) -> Renderer:
    return renderer_of(request.param)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_reply_ends_where_a_stop_text_begins(renderer: Renderer, data: st.DataObject) -> None:
    """However tokens fall: sampling ends with the id that completes it, and no piece of it is shown before."""
    letters = data.draw(st.booleans())
    text = data.draw(st.lists(TEXTS, min_size=1, max_size=4).map("".join))
    parts = list(text) if letters else [text]
    ids = [id for part in parts for id in renderer.tokenizer.encode(part)]
    cuts = st.tuples(st.integers(0, len(text)), st.integers(1, 6)).map(lambda cut: text[cut[0] : sum(cut)])
    texts = data.draw(st.lists(st.one_of(cuts, TEXTS), min_size=1, max_size=3))
    stops = Stops(renderer.tokenizer, texts)
    live = renderer.follow()
    sampled: list[int] = []
    shown: list[Any] = []
    for id in ids:
        sampled.append(id)
        if stops.reached(sampled):
            break
        shown += [delta for free in stops.clear(id) for delta in live.push(free)]
    parsed = renderer.parse(sampled, (), stops.texts)
    shown += live.end(parsed)
    *before, whole = (renderer.tokenizer.decode(sampled[:n]) for n in range(len(sampled) + 1))
    assert not any(stop in text for stop in stops.texts for text in before)
    assert stops.reached(sampled) == any(stop in whole for stop in stops.texts)
    assert "".join(delta.text for delta in shown if delta.kind == "reasoning") == parsed.reasoning
    assert "".join(delta.text for delta in shown if delta.kind == "content") == parsed.content
    if renderer.name == "chatml" and "<think>" not in whole and "<tool_call>" not in whole:
        end = min((whole.find(stop) for stop in stops.texts if stop in whole), default=len(whole))
        assert parsed.content == whole[:end]


def test_markup_that_is_cut_marks_nothing() -> None:
    renderer = renderer_of("minimax-m2")
    ids = renderer.tokenizer.encode("a</think>b", parse_added=True)
    assert (renderer.parse(ids).reasoning, renderer.parse(ids).content) == ("a", "b")
    assert (renderer.parse(ids, (), ["ink>"]).reasoning, renderer.parse(ids, (), ["ink>"]).content) == ("a</th", "")
    assert renderer.parse(ids, (), ["b"]).reasoning == "a"


def test_without_stop_texts_nothing_waits() -> None:
    stops = Stops(renderer_of("chatml").tokenizer, ["", ""])
    assert stops.texts == ()
    assert [list(stops.clear(id)) for id in (17, 18)] == [[17], [18]]
    assert not stops.reached([17, 18])
