"""docs/training.md has every knob of a config, as it is now, with what it means."""

from __future__ import annotations

import re
from pathlib import Path

from tests.rl.knobs import renewed, tables

PAGE = Path(__file__).parents[2] / "docs" / "training.md"


def test_the_page_is_current() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page, "renew it: python -m tests.rl.knobs docs/training.md"


def test_every_knob_says_what_it_means() -> None:
    rows = [line for table in tables() for line in table.splitlines() if line.startswith("| `")]
    assert len(rows) > 90
    assert [row for row in rows if re.search(r"\|\s*\|$", row)] == []
    assert {"| `w_max` | `5`, ≥ 1 |", "| `group_size` | `8`, ≥ 2 |"} <= {row[: row.index("|", row.index("|", 2) + 1) + 1] for row in rows}  # fmt: skip
