"""How the agent keeps its plan, whatever its scaffold's tool for it is called."""

from __future__ import annotations

import itertools

from pydantic import Field

from agentgym.scoring.checklist.event import EventMatch
from agentgym.scoring.checklist.plans import plans
from agentgym.scoring.checklist.record import Record, places
from agentgym.scoring.checklist.registry import Check, kind
from agentgym.scoring.checklist.verdict import Finding, beside, failed, found, passed


@kind("plan_made")
class PlanMade(Check):
    """A plan is written, of so many items; with `before`, earlier than that event."""

    min_items: int = Field(default=1, ge=1)
    before: EventMatch | None = None

    def look(self, record: Record) -> Finding:
        made = next((plan for plan in plans(record) if len(plan.items) >= self.min_items), None)
        if made is None:
            return failed(f"no plan of {self.min_items} or more items is written")
        late = [e for e in self.before.among(record) if e.place < made.event.place] if self.before else []
        return failed("the plan comes late", places(late[:1])) if late else passed(evidence=[made.event.at()])


@kind("plan_updated")
class PlanUpdated(Check):
    """The plan is brought up to date, after it was first written, so often."""

    at_least: int = Field(default=1, ge=1)

    def look(self, record: Record) -> Finding:
        states = list(plans(record))
        if not states:
            return beside("there is no plan")
        updates = [new.event for old, new in itertools.pairwise(states) if old.items != new.items]
        return found(len(updates) >= self.at_least, f"{len(updates)} updates", places(updates))


@kind("plan_finished")
class PlanFinished(Check):
    """At the end every item of the plan is done."""

    def look(self, record: Record) -> Finding:
        last = next(iter([*plans(record)][::-1]), None)
        if last is None:
            return beside("there is no plan")
        open_items = [text for text, status in last.items if status != "done"]
        return found(not open_items, f"not done: {', '.join(open_items)}", [last.event.at(", ".join(open_items))])


@kind("plan_one_in_progress")
class PlanOneInProgress(Check):
    """Never are several items of the plan in progress."""

    def look(self, record: Record) -> Finding:
        states = list(plans(record))
        if not states:
            return beside("there is no plan")
        bad = [state for state in states if sum(status == "in_progress" for _, status in state.items) > 1]
        return found(not bad, "several items in progress", places(state.event for state in bad))
