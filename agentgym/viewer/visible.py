"""Characters that hide, reorder or end text, made visible. Escaping for HTML is the templates' business."""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, ANSI's escape among them; not tab and line feed
    "\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\uffff"
    "\ud800-\udfff"  # halves of surrogate pairs, which no encoder takes
    "\U000e0000-\U000e0fff]"  # tags: whole sentences can be written in them
)


def visible(text: str) -> str:
    """`text` with what would not be seen spelled out: the escape character as ␛, others as ⟨U+202E⟩."""
    return _HIDDEN.sub(_spelled, text)


def _spelled(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)  # its picture
    return "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"
