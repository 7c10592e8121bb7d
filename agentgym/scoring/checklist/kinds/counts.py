"""How often and how many: limits on events, replies and calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Literal, Self

from pydantic import Field, model_validator

from agentgym.scoring.checklist.event import EventMatch, Texts, is_named
from agentgym.scoring.checklist.record import Event, Record, Reply, ToolUse, evidence, places
from agentgym.scoring.checklist.registry import Check, kind
from agentgym.scoring.checklist.verdict import Finding, beside, failed, found, passed

_PLACE: dict[str, Callable[[Event], object]] = {
    "record": lambda event: 0,
    "turn": lambda event: event.reply.query,
    "reply": lambda event: event.reply.number,
    "file": lambda event: event.path,
}


@kind("event_count")
class EventCount(Check):
    """How often an event happens: in all, or in each of the user's turns, each reply, or to each file."""

    event: EventMatch
    at_least: int = Field(default=0, ge=0)
    at_most: int | None = Field(default=None, ge=0)
    per: Literal["record", "turn", "reply", "file"] = "record"

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.at_most is None and not self.at_least:
            raise ValueError("found neither at_least nor at_most, wanted one of them")
        return self

    def look(self, record: Record) -> Finding:
        events = self.event.among(record)
        counts = Counter(_PLACE[self.per](event) for event in events)
        empty = {"record": [0], "turn": record.queries, "reply": [r.number for r in record.replies if r.main]}
        for place in empty.get(self.per, ()):
            counts.setdefault(place, 0)
        bad = {
            place: n
            for place, n in counts.items()
            if n < self.at_least or (self.at_most is not None and n > self.at_most)
        }
        if not bad:
            return passed(f"{self.event.said}: {len(events)}", places(events[:3]))
        shown = [event for event in events if _PLACE[self.per](event) in bad]
        return failed(f"{self.event.said}: {next(iter(bad.values()))} in a {self.per}", places(shown))


@kind("reply_count")
class ReplyCount(Check):
    """How many replies the agent needs."""

    at_most: int = Field(ge=1)

    def look(self, record: Record) -> Finding:
        replies = [reply for reply in record.replies if reply.main]
        over = replies[self.at_most :]
        return found(not over, f"{len(replies)} replies", [evidence(reply, quote=reply.text) for reply in over[:1]])


@kind("parallel_calls")
class ParallelCalls(Check):
    """Calls are made together: some reply has so many of them."""

    tools: Texts = ()
    at_least: int = Field(default=2, ge=2)

    def look(self, record: Record) -> Finding:
        counts = [(len(self._meant(reply)), reply) for reply in record.replies]
        most, reply = max(counts, key=lambda counted: counted[0], default=(0, None))
        if reply is None or not any(n for n, _ in counts):
            return beside("there are no such calls")
        uses = self._meant(reply)
        return found(
            most >= self.at_least, f"at most {most} in a reply", [evidence(reply, u, quote=u.name) for u in uses]
        )

    def _meant(self, reply: Reply) -> list[ToolUse]:
        return [use for use in reply.uses if not self.tools or is_named(use.name, use.action, self.tools)]


@kind("one_call_a_reply")
class OneCallAReply(Check):
    """No reply makes several calls."""

    def look(self, record: Record) -> Finding:
        several = [reply for reply in record.replies if len(reply.uses) > 1]
        return found(not several, "several calls in a reply", [evidence(reply, reply.uses[1]) for reply in several])


@kind("no_repeats")
class NoRepeats(Check):
    """The same call with the same arguments is not made more often than is said, in a row or anywhere."""

    tools: Texts = ()
    at_most: int = Field(default=1, ge=1)
    in_a_row: bool = False

    def look(self, record: Record) -> Finding:
        seen: Counter[str] = Counter()
        before = ""
        for reply, use in record.uses():
            if self.tools and not is_named(use.name, use.action, self.tools):
                continue
            call = f"{use.name} {json.dumps(use.arguments, sort_keys=True, default=str)}"
            if self.in_a_row and call != before:
                seen.clear()
            before = call
            seen[call] += 1
            if seen[call] > self.at_most:
                return failed(f"the same call {seen[call]} times", [evidence(reply, use, quote=call)])
        return passed()
