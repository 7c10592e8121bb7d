"""Commits and branches, as the agent's commands make them."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from agentgym.scoring.checklist.event import Pattern
from agentgym.scoring.checklist.record import Record, places
from agentgym.scoring.checklist.registry import Check, kind
from agentgym.scoring.checklist.verdict import Finding, beside, failed, found, passed

CONVENTIONAL = re.compile(r"(?:build|chore|ci|docs|feat|fix|perf|refactor|revert|style|test)(?:\([\w./-]+\))?!?: \S")
"""conventionalcommits.org, with the types of its usual linter."""


@kind("commit_count")
class CommitCount(Check):
    """How many commits are made: one or more where nothing is stated."""

    at_least: int = Field(default=1, ge=0)
    at_most: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.at_most is not None and self.at_most < self.at_least:
            raise ValueError(
                f"found at_most = {self.at_most} below at_least = {self.at_least}; none at all is kind no_commit"
            )
        return self

    def look(self, record: Record) -> Finding:
        commits = list(record.of("commit"))
        ok = len(commits) >= self.at_least and (self.at_most is None or len(commits) <= self.at_most)
        return found(ok, f"{len(commits)} commits", places(commits))


@kind("no_commit")
class NoCommit(Check):
    """Nothing is committed."""

    def look(self, record: Record) -> Finding:
        commits = list(record.of("commit"))
        return found(not commits, f"{len(commits)} commits", places(commits))


@kind("commit_message")
class CommitMessage(Check):
    """How the messages of all commits are written."""

    style: Literal["conventional"] | None = None
    pattern: Pattern | None = None
    """In the whole message."""
    never: Pattern | None = None
    """Not in it."""
    max_subject_chars: int | None = Field(default=None, ge=1)
    body: bool | None = None
    """True: there is one, after a blank line. False: there is none."""

    def look(self, record: Record) -> Finding:
        commits = [event for event in record.of("commit") if event.text]
        if not commits:
            return beside("there is no commit with a message")
        faults = [(event, fault) for event in commits if (fault := self._fault(event.text))]
        return failed(faults[0][1], [event.at() for event, _ in faults]) if faults else passed(evidence=places(commits))

    def _fault(self, message: str) -> str:
        subject, _, rest = message.strip().partition("\n")
        if self.style == "conventional" and not CONVENTIONAL.match(subject):
            return f"no conventional commit: {subject!r}"
        if self.pattern is not None and not re.search(self.pattern, message):
            return f"does not match {self.pattern!r}"
        if self.never is not None and re.search(self.never, message):
            return f"matches {self.never!r}"
        if self.max_subject_chars is not None and len(subject) > self.max_subject_chars:
            return f"its subject has {len(subject)} characters, wanted at most {self.max_subject_chars}"
        has_body = rest.startswith("\n") and bool(rest.strip())
        if self.body is not None and has_body != self.body:
            return "has a body" if has_body else "has no body after a blank line"
        return ""


@kind("branch_name")
class BranchName(Check):
    """Branches that are made are named in a certain way."""

    pattern: Pattern

    def look(self, record: Record) -> Finding:
        branches = list(record.of("branch"))
        if not branches:
            return beside("no branch is made")
        wrong = [event for event in branches if not re.search(self.pattern, event.text)]
        return found(not wrong, f"does not match {self.pattern!r}", places(wrong))
