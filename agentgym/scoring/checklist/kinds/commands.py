"""What is run in a shell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Self

from pydantic import Field, model_validator

from agentgym.scoring.checklist.event import EventMatch, Paths, Pattern, Texts, path_matches
from agentgym.scoring.checklist.record import Event, Record, places
from agentgym.scoring.checklist.registry import Check, kind
from agentgym.scoring.checklist.shell import Command, commands
from agentgym.scoring.checklist.verdict import Finding, beside, failed, found, passed

_TALKERS = frozenset({"echo", "printf", ":"})


class _Commands(Check):
    """Commands by the program, or by a pattern in their text; both where both are stated."""

    programs: Texts = ()
    pattern: Pattern | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.programs and self.pattern is None:
            raise ValueError("found neither programs nor pattern, wanted one of them")
        return self

    def among(self, record: Record) -> list[Event]:
        return [event for event in _shell(record) if self._meant(event)]

    def _meant(self, event: Event) -> bool:
        if self.programs and not any(command.program in self.programs for command in read(event.text)):
            return False
        return self.pattern is None or re.search(self.pattern, event.text) is not None


@kind("command_used")
class CommandUsed(_Commands):
    """Such a command is run, as often as is said."""

    at_least: int = Field(default=1, ge=1)

    def look(self, record: Record) -> Finding:
        events = self.among(record)
        return found(len(events) >= self.at_least, f"run {len(events)} times", places(events))


@kind("command_unused")
class CommandUnused(_Commands):
    """No such command is run."""

    def look(self, record: Record) -> Finding:
        events = self.among(record)
        return found(not events, f"run {len(events)} times", places(events))


@kind("command_form")
class CommandForm(Check):
    """Each command of the program is written in a certain way."""

    program: str = Field(min_length=1)
    pattern: Pattern

    def look(self, record: Record) -> Finding:
        ran = [(event, one) for event in _shell(record) for one in read(event.text) if one.program == self.program]
        if not ran:
            return beside(f"{self.program} is not run")
        wrong = [event.at(one.text) for event, one in ran if not re.search(self.pattern, one.text)]
        return found(not wrong, f"{self.program} is not run as {self.pattern!r}", wrong)


@kind("tests_run")
class TestsRun(Check):
    """Tests are run; with `after_last_edit`, once more when all changes are made."""

    __test__ = False  # no test of pytest's

    after_last_edit: bool = False
    pattern: Pattern | None = None
    """In the command."""
    paths: Paths = ()
    """Changes of other files need no tests."""

    def look(self, record: Record) -> Finding:
        runs = EventMatch(action=("tests",), pattern=self.pattern).among(record)
        if not runs:
            return failed("no tests are run")
        changes = [e for e in record.of("edit", "write") if not self.paths or path_matches(e.path, self.paths)]
        if self.after_last_edit and changes and changes[-1].place > runs[-1].place:
            return failed("the last change comes after the last tests", places(changes[-1:]))
        return passed(evidence=places(runs[-1:]))


@kind("no_shell_edits")
class NoShellEdits(Check):
    """Files are changed with the tools for it, and not by sed, redirection and the like."""

    paths: Paths = ()
    """Only these; every file of the work directory where none are stated."""

    def look(self, record: Record) -> Finding:
        events = [e for e in record.of("edit", "write") if e.by_shell and e.path and not e.path.startswith(("/", ".."))]
        events = [event for event in events if not self.paths or path_matches(event.path, self.paths)]
        return found(not events, "changed by a shell command", places(events))


@kind("no_shell_talk")
class NoShellTalk(Check):
    """No command only prints words: what there is to say is said in a reply."""

    def look(self, record: Record) -> Finding:
        events = [event for event in _shell(record) if _only_talks(read(event.text))]
        return found(not events, "a command that only prints words", places(events))


def _only_talks(ran: tuple[Command, ...]) -> bool:
    if not ran or any(command.outputs for command in ran):
        return False
    words = (word for command in ran for word in command.words[1:])
    prints = all(command.program in _TALKERS or (command.program == "cat" and command.stdin) for command in ran)
    return prints and not any("$" in word for word in words)  # a variable is a question, and no talk


def _shell(record: Record) -> Iterator[Event]:
    return (event for event in record.of("shell") if not event.by_shell)


@lru_cache(maxsize=4096)
def read(text: str) -> tuple[Command, ...]:
    return tuple(commands(text))
