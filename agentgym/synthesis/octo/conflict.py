"""Instructions that contradict each other: which rules can, who should win, and how the user is told.

The order of precedence is the field's: the system prompt, then the user, then files of the project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agentgym.scoring.checklist.item import Source
from agentgym.synthesis.octo.rule import Rule

Kind = Literal["user_vs_system", "user_vs_project", "system_vs_project"]

SIDES: Mapping[Kind, tuple[Source, Source]] = {
    "user_vs_system": ("system_prompt", "user_query"),
    "user_vs_project": ("user_query", "project_file"),
    "system_vs_project": ("system_prompt", "project_file"),
}
"""Who should win, and who should lose."""

ABOUT: Mapping[str, tuple[str, ...]] = {
    "beginning": ("begin", "start", "prefix", "opening", "tag"),
    "closing": ("clos", "last line", "final line", "end "),
    "points": ("points", "bullet", "list"),
    "plan": ("plan",),
    "commit": ("commit",),
    "branch": ("branch",),
    "docstring": ("docstring",),
    "hints": ("type hint", "annotat"),
    "comments": ("comment",),
    "test_names": ("test name", "names of test", "name of the test", "test function"),
    "header": ("first line", "header"),
    "test_form": ("parametri",),
    "calls": ("call",),
}
"""Slots whose rules contradict one another beyond repair, and words of which one names what they are about."""

_NONE = {
    "commit": "no_commit",
    "branch": "no_branch",
    "comments": "no_comments",
    "plan": "no_plan",
    "hints": "no_type_hints",
}
"""In these slots the rule that asks for nothing of the kind contradicts those that ask for some."""

_NAMES: Mapping[Source, str] = {
    "system_prompt": "the system prompt",
    "user_query": "the request",
    "project_file": "the file of the project",
}


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two rules of one slot, stated by two sources."""

    kind: Kind
    winner: Rule
    loser: Rule

    @property
    def told(self) -> str:
        """What the user is told of it."""
        won, lost = (_NAMES[source] for source in SIDES[self.kind])
        about = ABOUT[self.winner.slot][0].strip()
        what = _SPELLED.get(about, about)
        asked = f"{lost} asks for something that {won} rules out"
        return f"On {what} the instructions conflict: {asked}, and {won} was followed."


_SPELLED = {
    "begin": "how replies begin",
    "clos": "the closing line",
    "points": "the number of points",
    "annotat": "type hints",
    "parametri": "parametrized tests",
    "call": "tool calls",
    "commit": "commits",
    "branch": "the branch",
    "docstring": "the form of docstrings",
    "comment": "comments",
    "type hint": "type hints",
    "test name": "test names",
    "plan": "the plan",
    "first line": "the first line of files",
}


def contradict(first: Rule, second: Rule) -> bool:
    """Whether who keeps one breaks the other."""
    if first.slot != second.slot or first.slot not in ABOUT or first.name == second.name:
        return False
    names = {first.name, second.name}
    if first.slot in _NONE:
        return _NONE[first.slot] in names and not any(name.startswith("no_") for name in names - {_NONE[first.slot]})
    if first.slot == "beginning":
        return all(name.startswith("tag_") for name in names)
    return first.slot != "test_form" or names == {"parametrized", "no_parametrize"}
