"""Checks made of checks, and checks of a part of the record."""

from __future__ import annotations

from pydantic import Field

from agentgym.scoring.checklist.event import EventMatch
from agentgym.scoring.checklist.record import Record
from agentgym.scoring.checklist.registry import Check, Nested, kind
from agentgym.scoring.checklist.verdict import Finding, beside, every, failed, passed, some


@kind("all")
class AllOf(Check):
    """Every one of the checks passes; those that do not apply are left out."""

    checks: tuple[Nested, ...] = Field(min_length=1)

    def look(self, record: Record) -> Finding:
        return every([check.look(record) for check in self.checks])


@kind("any")
class AnyOf(Check):
    """One of the checks passes."""

    checks: tuple[Nested, ...] = Field(min_length=1)

    def look(self, record: Record) -> Finding:
        return some([check.look(record) for check in self.checks])


@kind("not")
class Not(Check):
    """The check fails."""

    check: Nested

    def look(self, record: Record) -> Finding:
        finding = self.check.look(record)
        why = f"not: {finding.why}" if finding.why else f"{self.check.kind} holds, and should not"
        match finding.result:
            case "pass":
                return failed(why, finding.evidence)
            case "fail":
                return passed(why, finding.evidence)
        return finding


@kind("if_then")
class IfThen(Check):
    """Where the one check passes the other does too."""

    when: Nested
    then: Nested

    def look(self, record: Record) -> Finding:
        condition = self.when.look(record)
        if condition.result == "error":
            return condition
        return (
            self.then.look(record) if condition.result == "pass" else beside(condition.why or "the case is not given")
        )


@kind("each_turn")
class EachTurn(Check):
    """The check holds in each of the user's turns by itself."""

    check: Nested

    def look(self, record: Record) -> Finding:
        return every([self.check.look(record.query(number)) for number in record.queries])


@kind("in_turn")
class InTurn(Check):
    """The check holds in one of the user's turns, counted from 1."""

    turn: int = Field(ge=1)
    check: Nested

    def look(self, record: Record) -> Finding:
        part = record.query(self.turn - 1)
        return self.check.look(part) if part.replies else beside(f"turn {self.turn} was never reached")


@kind("after")
class After(Check):
    """The check holds in what comes after the event's first occurrence, or its last."""

    event: EventMatch
    check: Nested
    last: bool = False

    def look(self, record: Record) -> Finding:
        events = self.event.among(record)
        if not events:
            return beside(f"there was no {self.event.said}")
        return self.check.look(record.after(events[-1 if self.last else 0]))


@kind("before")
class Before(Check):
    """The check holds in what comes before the event's first occurrence."""

    event: EventMatch
    check: Nested

    def look(self, record: Record) -> Finding:
        events = self.event.among(record)
        return self.check.look(record.before(events[0])) if events else beside(f"there was no {self.event.said}")


@kind("after_compaction")
class AfterCompaction(Check):
    """The check holds in each part of the record that a compaction began."""

    check: Nested

    def look(self, record: Record) -> Finding:
        later = [number for number in record.stretches if number > 0]
        if not later:
            return beside("the conversation was never compacted")
        return every([self.check.look(record.stretch(number)) for number in later])
