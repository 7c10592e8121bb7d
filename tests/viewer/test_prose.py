"""Code between fences is told from prose."""

from __future__ import annotations

import pytest

from agentgym.viewer.prose import pieces


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", []),
        ("\n\n", []),
        ("words", [("prose", "words")]),
        ("a\n```bash\nls\n\nid\n```\nb\n", [("prose", "a"), ("code", "ls\n\nid"), ("prose", "b")]),
        ("```\nx\n```", [("code", "x")]),
        ("a\n```\nopen", [("prose", "a"), ("code", "open")]),
        ("in `line` and ``` within", [("prose", "in `line` and ``` within")]),
    ],
)
def test_pieces(text: str, told: list[tuple[str, str]]) -> None:
    assert list(pieces(text)) == told
