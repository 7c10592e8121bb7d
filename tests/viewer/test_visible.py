"""Characters that hide are spelled out; all others stay."""

from __future__ import annotations

import unicodedata

import pytest

from agentgym.viewer.visible import visible


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\x1b[31m", "␛[31m"),
        ("a\x00b", "a␀b"),
        ("50%\r100%", "50%␍100%"),
        ("\x7f", "␡"),
        ("\x9b", "⟨U+009B⟩"),
        ("\u202egnp.exe", "⟨U+202E⟩gnp.exe"),
        ("\u2066\u2069", "⟨U+2066⟩⟨U+2069⟩"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("\ud800", "⟨U+D800⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("\u2028", "⟨U+2028⟩"),
    ],
)
def test_what_hides_is_spelled_out(hidden: str, shown: str) -> None:
    assert visible(hidden) == shown


@pytest.mark.parametrize("text", ["", "plain\n\ttext", "naïve 日本語 עברית", "👩‍💻 क्‍ष", "<b>&amp;"])
def test_text_stays(text: str) -> None:
    assert visible(text) == text


def test_no_control_or_bidirectional_character_is_left() -> None:
    shown = visible("".join(map(chr, range(0x11000))))
    left = {c for c in shown if unicodedata.category(c) in ("Cc", "Cs") or unicodedata.bidirectional(c) in ("RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI")}  # fmt: skip
    assert left == {"\n", "\t"}
    shown.encode()
