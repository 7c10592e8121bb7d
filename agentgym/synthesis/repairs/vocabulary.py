"""All that the family can say, for whoever makes a vocabulary of it."""

from __future__ import annotations

from collections.abc import Iterator

from agentgym.synthesis.repairs.bugs import bugs
from agentgym.synthesis.repairs.catalogue import TEMPLATES
from agentgym.synthesis.repairs.edit import ARROW, numbered
from agentgym.synthesis.repairs.names import CONSTANTS, NAMES, choices
from agentgym.synthesis.repairs.template import fill, role

_LINES = 15
"""No template has more."""
_CHECK = "solve('a') gives raises TypeError, IndexError, KeyError, NameError, AttributeError, not None\nright"


def texts() -> Iterator[str]:
    """Texts that hold every lexeme of every repair, of listings, of edits and of what checks say."""
    yield from (name for names in (*NAMES.values(), *CONSTANTS.values()) for name in names)
    yield numbered("\n" * _LINES)
    yield f"0123456789{ARROW}"
    yield _CHECK
    for template in TEMPLATES.values():
        values = {hole: choices(hole)[0] for hole in template.holes}
        neighbours = {f"{hole}_{way}": "1" for hole in template.holes if role(hole) == "num" for way in ("up", "down")}
        yield fill(template.doc, values)
        yield _listing(template.code, values)
        yield from (_listing(bug.apply(template.code), values | neighbours) for bug in bugs(template))


def _listing(code: str, values: dict[str, str]) -> str:
    return numbered(fill(code, values))
