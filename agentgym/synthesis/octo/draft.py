"""A task of the suite before it is a folder: who asks for what, turn by turn, and the items that come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentgym.scoring.checklist.item import Item, Source
from agentgym.synthesis.octo.conduct import Conduct, changed
from agentgym.synthesis.octo.conflict import ABOUT, SIDES, Conflict
from agentgym.synthesis.octo.environment import Environment
from agentgym.synthesis.octo.rule import Rule, Table, filled
from agentgym.synthesis.octo.seed import Seed
from agentgym.synthesis.octo.turn import Turn

MEMORY, PROJECT_FILE = "MEMORY.md", "AGENTS.md"


@dataclass(frozen=True, slots=True)
class Stated:
    """A rule that a source states, in words."""

    source: Source
    rule: Rule
    text: str
    turn: int | None = None
    """The user's turn that it is about alone."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A way to violate a task."""

    items: frozenset[str]
    """Those that fail then, and no others."""
    turns: frozenset[int]
    """The user's turns in which it happens."""
    changes: Table
    """Of the conduct."""
    rule: Rule | None = None
    """The one that is not kept."""
    silent: bool = False
    """The user is not told of a conflict."""


@dataclass(frozen=True, slots=True)
class Draft:
    """All that a task folder says, and what scripts need to know."""

    name: str
    seed: Seed
    environment: Environment
    category: Source
    """The source that most of the task is about."""
    turns: tuple[Turn, ...]
    queries: tuple[str, ...]
    """What the user says of the work, one text a turn; rules come on top."""
    stated: tuple[Stated, ...]
    skill: str = ""
    conflict: Conflict | None = None
    loser: Stated | None = None
    """The rule that should lose."""
    long: bool = False
    """Rules of every reply have to hold after the conversation was compacted, too."""

    # ------------------------------------------------------------------------------------------------------ items

    def items(self) -> list[Item]:
        """The checklist."""
        return [item for stated in self.stated for item in self._items(stated)]

    def _items(self, stated: Stated) -> Iterator[Item]:
        rule, files = stated.rule, self.files
        common: dict[str, Any] = {"source": stated.source}
        if rule.severity != "must":
            common["severity"] = rule.severity
        if (file := files.get(stated.source)) is not None:
            common["file"] = file
        name, statement = _id(stated), filled(rule.texts[0], self.names)
        if rule.judge:
            yield Item.model_validate({**common, "id": name, "statement": statement, "judge": rule.judge})
            return
        check = self._check(stated, stated.turn)
        if self.conflict is not None and rule is self.conflict.winner:
            loser = SIDES[self.conflict.kind][1]
            check = {"kind": "prevails", "winner": check, "loser": filled(self.conflict.loser.check, self.names)}
            yield Item.model_validate({**common, "id": name, "statement": statement, "check": check, "against": loser})
            told = {
                "id": f"{stated.source}.conflict_told",
                "statement": "The user is told that instructions contradict each other.",
                "check": {"kind": "conflict_told", "about": list(ABOUT[rule.slot])},
            }
            yield Item.model_validate({**common, **told, "severity": "should"})
            return
        every = {"persistence": rule.persistence} if rule.persistence != "once" else {}
        yield Item.model_validate({**common, "id": name, "statement": statement, "check": check, **every})
        if self._outlasts(rule):
            later = {"id": f"{name}.after_compaction", "statement": f"After compaction, too: {statement}"}
            yield Item.model_validate({**common, **later, "check": {"kind": "after_compaction", "check": check}})

    def _check(self, stated: Stated, turn: int | None) -> Mapping[str, Any]:
        check: Mapping[str, Any] = filled(stated.rule.check, self.names)
        late = check.get("where") == "last" and turn is not None
        return {"kind": "in_turn", "turn": turn + 1, "check": check} if late and turn is not None else check

    def _outlasts(self, rule: Rule) -> bool:
        every = rule.check.get("where", "every") == "every"
        return self.long and every and rule.check.get("kind") in _OF_EVERY_REPLY

    @property
    def names(self) -> Mapping[str, Any]:
        """What the templates of rules are filled with."""
        n_functions = sum(turn.kind == "add" for turn in self.turns)
        return {
            "module": self.environment.module,
            "n_functions": n_functions,
            "n_tests": 3 * n_functions,
            "n_pages": len(self.turns),
            "most_files": 4 * n_functions + 2,
        }

    @property
    def files(self) -> Mapping[Source, str]:
        """Where sources lie that are files."""
        return {
            "project_file": PROJECT_FILE,
            "memory": MEMORY,
            "skill": f".claude/skills/{self.skill}/SKILL.md",
        }

    # ---------------------------------------------------------------------------------------------------- conduct

    def compliant(self) -> tuple[Conduct, ...]:
        """The conduct that keeps every rule, turn by turn."""
        return self.conducts(())

    def breaches(self) -> list[Breach]:
        """One for each item that a program decides, by itself or with the item that hangs on it."""
        return [breach for stated in self.stated if not stated.rule.judge for breach in self._breaches(stated)]

    def conducts(self, breaches: Sequence[Breach]) -> tuple[Conduct, ...]:
        """How somebody behaves who breaks these rules and keeps the others, turn by turn."""
        return tuple(
            self._conduct([breach for breach in breaches if place in breach.turns]) for place in range(len(self.turns))
        )

    def _breaches(self, stated: Stated) -> Iterator[Breach]:
        rule, name = stated.rule, _id(stated)
        turns = range(len(self.turns))
        if self.conflict is not None and rule is self.conflict.winner:
            told = f"{stated.source}.conflict_told"
            yield Breach(frozenset({name}), frozenset(turns), self.conflict.loser.comply, rule)
            yield Breach(frozenset({told}), frozenset(turns), {}, silent=True)
            return
        failing = {name, f"{name}.after_compaction"} if self._outlasts(rule) else {name}
        if stated.turn is not None:
            turns = range(stated.turn, stated.turn + 1)
        elif rule.persistence == "every_turn":
            turns = turns[-1:]  # the rule was kept for long, and is forgotten at last
        yield Breach(frozenset(failing), frozenset(turns), rule.violate, rule)

    def _conduct(self, breaches: Sequence[Breach]) -> Conduct:
        conduct, broken = Conduct(), [breach.rule for breach in breaches]
        for stated in self.stated:
            if not any(stated.rule is rule for rule in broken):
                conduct = changed(conduct, stated.rule.comply)
        for breach in breaches:
            conduct = changed(conduct, breach.changes)
        if self.conflict is not None and not any(breach.silent for breach in breaches):
            conduct = changed(conduct, {"told": (self.conflict.told,)})
        return conduct


_OF_EVERY_REPLY = ("opens_with", "text_never", "markdown", "no_emoji", "no_time_estimates")


def _id(stated: Stated) -> str:
    return f"{stated.source}.{stated.rule.name}"
