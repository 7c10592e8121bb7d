"""What people and models write: text with blocks of code between fences. No other markup is read."""

from __future__ import annotations

from collections.abc import Iterator

_FENCE = "```"


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """("prose" or "code", text) by turns, without the fences; one that stays open holds to the end."""
    kind = "prose"
    lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith(_FENCE):
            if any(lines):
                yield kind, "\n".join(lines)
            kind, lines = "code" if kind == "prose" else "prose", []
        else:
            lines.append(line)
    if any(lines):
        yield kind, "\n".join(lines).rstrip("\n")
