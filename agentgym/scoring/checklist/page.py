"""The table of all kinds in docs/checks.md: python -m agentgym.scoring.checklist.page docs/checks.md"""

from __future__ import annotations

import inspect
import sys
from itertools import groupby
from pathlib import Path

from agentgym.scoring.checklist import kinds as _registered  # noqa: F401
from agentgym.scoring.checklist.registry import KINDS, Check

MARK = "<!-- python -m agentgym.scoring.checklist.page -->\n"


def table() -> str:
    """Markdown: by what they look at, each kind with what it says of itself and its arguments."""
    parts = []
    for module, kinds in groupby(KINDS.items(), key=lambda entry: entry[1].__module__):
        about = (inspect.getdoc(sys.modules[module]) or "").split("\n")[0].rstrip(".")
        rows = [f"| `{name}` | {_line(check)} | {_arguments(check)} |" for name, check in kinds]
        parts.append("\n".join([f"**{about}**\n", "| kind | passes where | arguments |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def with_table(page: str) -> str:
    """The page with its table brought up to date."""
    head, mark, _ = page.partition(MARK)
    return f"{head}{mark}\n{table()}"


def _line(check: type[Check]) -> str:
    return " ".join((inspect.getdoc(check) or "").split())


def _arguments(check: type[Check]) -> str:
    fields = check.model_fields.items()
    return ", ".join(name if field.is_required() else f"*{name}*" for name, field in fields)


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_table(file.read_text()))
