"""Lexemes: nothing lost, and each name and digit the same wherever it stands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentgym.synthesis.repairs.lexemes import lexemes


@given(st.text() | st.text("ab_ 01|=>\n([\"'<-:,"))
def test_nothing_is_lost(text: str) -> None:
    assert "".join(lexemes(text)) == text


def test_code() -> None:
    assert lexemes("    if not x <= -12 and a[1:] in b:") == [
        "    ", "if ", "not ", "x", " <= ", "-", "1", "2", " and ", "a", "[", "1", ":", "]", " in ", "b", ":",
    ]  # fmt: skip


def test_listing_prose_and_edit() -> None:
    assert lexemes("Count the odd ones.\n12|x") == ["Count", " the", " odd", " ones", ".", "\n", "12|", "x"]
    assert lexemes("4| < => > ") == ["4|", " < ", "=>", " > "]


def test_holes() -> None:
    assert lexemes("$acc2 += $x", holes=True) == ["$acc2", " += ", "$x"]
