"""Long texts are cut in the middle, and nothing is lost count of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.viewer.passage import Passage, fold


def test_a_short_text_is_whole() -> None:
    assert fold("a\nb\n", "/x") == Passage("a\nb\n", at="/x")
    assert not fold("a").folded
    assert not fold("")


def test_lines_are_cut_in_the_middle() -> None:
    text = "".join(f"{n}\n" for n in range(100))
    passage = fold(text, "/x", lines=12)
    assert passage.head == "".join(f"{n}\n" for n in range(8))
    assert passage.tail == "".join(f"{n}\n" for n in range(96, 100))
    assert passage.n_lines == 88
    assert passage.at == "/x"


def test_a_line_end_more_folds_nothing() -> None:
    assert not fold("a\n" * 12, lines=12).folded
    assert fold("a\n" * 13, lines=12).folded


@pytest.mark.parametrize("text", ["x" * 1_000_000, "x" * 1_000_000 + "\n", "a\n" + "x" * 1_000_000])
def test_one_line_of_a_megabyte(text: str) -> None:
    passage = fold(text)
    assert len(passage.head) + len(passage.tail) <= 2400
    assert passage.n_chars == len(text) - len(passage.head) - len(passage.tail)


@given(st.text(alphabet="ab\n", max_size=200), st.integers(3, 20), st.integers(3, 60))
def test_head_middle_and_tail_are_the_text(text: str, lines: int, chars: int) -> None:
    passage = fold(text, lines=lines, chars=chars)
    n = len(passage.head)
    middle = text[n : n + passage.n_chars]
    assert passage.head + middle + passage.tail == text
    assert middle.count("\n") == passage.n_lines
    assert len(passage.head) + len(passage.tail) <= chars
    assert passage.folded or (text.count("\n") <= lines and len(text) <= chars)
