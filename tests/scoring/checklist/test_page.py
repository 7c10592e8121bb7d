from __future__ import annotations

from pathlib import Path

from agentgym.scoring.checklist import KINDS
from agentgym.scoring.checklist.page import table, with_table

PAGE = Path(__file__).parents[3] / "docs" / "checks.md"


def test_the_page_tells_of_every_kind() -> None:
    assert PAGE.read_text() == with_table(PAGE.read_text()), "python -m agentgym.scoring.checklist.page docs/checks.md"
    assert table().count("\n| `") == len(KINDS)
    assert "| `text_never` | What is said never has the pattern in it. | pattern, *where*, *ignore_case* |" in table()
