from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policy.chat import ChatML, Delta, Parsed, Renderer
from tests.policy.chat.conversations import TEXTS, body, replies, tool
from tests.policy.chat.formats import FORMATS, renderer_of

TOOL = tool("f", {"x": "string"})
CALLS = {
    "chatml": '<tool_call>\n{"name": "f", "arguments": {"x": "y"}}\n</tool_call>',
    "minimax-m2": '<minimax:tool_call>\n<invoke name="f">\n<parameter name="x">y</parameter>\n</invoke>\n</minimax:tool_call>',
}
LONGEST_MARKUP = len("\n<minimax:tool_call>")


@pytest.fixture(scope="module", params=FORMATS)
def renderer(request: pytest.FixtureRequest) -> Renderer:
    return renderer_of(request.param)


def follow(renderer: Renderer, ids: Sequence[int], tools: Any = ()) -> tuple[list[list[Delta]], Parsed]:
    """What each id shows, then what the end does."""
    live = renderer.follow()
    shown = [list(live.push(id)) for id in ids]
    parsed = renderer.parse(ids, tools)
    return [*shown, list(live.end(parsed))], parsed


def said(shown: list[list[Delta]], kind: str) -> str:
    return "".join(delta.text for deltas in shown for delta in deltas if delta.kind == kind)


def markup(renderer: Renderer) -> st.SearchStrategy[str]:
    """Texts in which marks stand, and begin, where they ought and where they ought not."""
    call = CALLS[renderer.name]
    marks = [
        "<think>",
        "</think>",
        call,
        call[: call.index(">") + 1],
        call[-12:],
        "\n",
        "\n\n",
        " ",
        "hm",
        "é",
        "👩",
        "<",
        "</th",
        "<think",
        "\n<",
    ]
    return st.lists(st.one_of(st.sampled_from(marks), TEXTS), max_size=8).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_pieces_are_the_reply(renderer: Renderer, data: st.DataObject) -> None:
    """For replies as they ought to be, for markup in any disorder, and for any ids at all; cut off anywhere."""
    encode = renderer.tokenizer.encode
    texts = markup(renderer)
    written = st.tuples(texts, st.booleans()).map(lambda pair: encode(pair[0], parse_added=pair[1]))
    letters = texts.map(lambda text: [id for letter in text for id in encode(letter)])
    n_vocab = renderer.tokenizer.n_vocab
    any_ids = st.lists(
        st.one_of(st.integers(0, n_vocab + 3), st.sampled_from([*renderer.tokenizer.added.values()])), max_size=12
    )
    parts = data.draw(st.lists(st.one_of(written, letters, any_ids), max_size=3))
    ids = [id for part in parts for id in part]
    tools: list[Any] = [TOOL]
    if data.draw(st.booleans()):
        message, tools = data.draw(replies())
        ids = [*body(renderer.render([message], tools, reply=False), renderer.tokenizer), *ids]
    ids = ids[: data.draw(st.integers(0, len(ids)))]
    if data.draw(st.booleans()):
        ids.append(min(renderer.stop_ids))
    shown, parsed = follow(renderer, ids, tools)
    assert said(shown, "reasoning") == parsed.reasoning
    assert said(shown, "content") == parsed.content
    assert all(delta.text for deltas in shown for delta in deltas)
    kinds = [delta.kind for deltas in shown for delta in deltas]
    assert kinds == sorted(kinds, reverse=True)  # reasoning, then content


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_is_certain_is_shown_at_once(renderer: Renderer, data: st.DataObject) -> None:
    """Before a tool call begins no more waits than a mark that may be beginning, and the character that is."""
    thought, content = data.draw(TEXTS), data.draw(TEXTS)
    assume(CALLS[renderer.name].partition("\n")[0] not in content)
    encode = renderer.tokenizer.encode
    end_think = encode("\n</think>\n\n", parse_added=True)
    ids = [*encode("<think>\n", parse_added=True), *encode(thought), *end_think, *encode(content)]
    shown, parsed = follow(renderer, ids)
    for n in range(len(ids)):
        sure = renderer.parse(ids[: n + 1])
        n_said = sum(len(said(shown[: n + 1], kind)) for kind in ("reasoning", "content"))
        assert n_said >= len(sure.reasoning + sure.content) - LONGEST_MARKUP - 1
    assert said(shown, "content") == parsed.content


def test_word_by_word() -> None:
    renderer = renderer_of("chatml")
    ids = renderer.tokenizer.encode("<think>\nLet me\n</think>\n\nIt is 1 < 2, é\n\nyes\n<tool_call>\n")
    call = renderer.tokenizer.encode('{"name": "f"}\n</tool_call>')
    shown, parsed = follow(renderer, [*ids, *call, min(renderer.stop_ids)])
    assert [(delta.kind, delta.text) for deltas in shown for delta in deltas] == [
        ("reasoning", "Let"), ("reasoning", " me"),
        *(("content", word) for word in ("It", " is", " ", "1", " ", "< ", "2", ",", " é", "\n", "\nyes")),
    ]  # fmt: skip
    assert [call.name for call in parsed.calls] == ["f"]


@pytest.mark.parametrize("format", ["chatml", "minimax-m2"])
def test_a_call_is_shown_only_when_it_is_none(format: str) -> None:
    renderer = renderer_of(format)
    start = "</think>" if format == "minimax-m2" else ""
    good = renderer.tokenizer.encode(f"{start}now\n{CALLS[format]}", parse_added=True)
    shown, parsed = follow(renderer, good, [TOOL])
    assert (said(shown, "content"), len(parsed.calls)) == ("now", 1)
    bad = good[:-2]
    shown, parsed = follow(renderer, bad, [TOOL])
    assert (said(shown[:-1], "content"), parsed.calls) == ("now", ())
    assert said(shown, "content") == renderer.tokenizer.decode(bad).removeprefix(start)


def test_a_long_reply_costs_as_much_an_id_as_a_short_one() -> None:
    """Counted in characters that wait: nothing grows with what was said before."""
    renderer = renderer_of("chatml")
    assert isinstance(renderer, ChatML)
    for text in ("word <tool " * 3000, "<think>" + "line\n\n" * 3000, "<tool_call>" + json.dumps(["x"] * 3000)):
        live = renderer.follow()
        for id in renderer.tokenizer.encode(text):
            list(live.push(id))
            assert len(live._text) <= LONGEST_MARKUP
