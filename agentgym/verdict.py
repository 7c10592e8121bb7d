"""What was found of a checklist's items, as a trajectory keeps it: verdicts, where in the record they are to be seen,
and what they come to.

Data alone: `scoring/` makes it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agentgym.call import Record

Result = Literal["pass", "fail", "not_applicable", "error"]
"""error: it could not be decided, which is no pass and no fail."""


class Evidence(Record):
    """A place in the record. Numbers count from 0, lines from 1."""

    query: int | None = None
    """Which of the user's turns."""
    turn: int | None = None
    """Place in Trajectory.turns; None beside the main conversation."""
    call: int | None = None
    """Place in Trajectory.calls, or in its turns where it has no calls."""
    tool_call: str = ""
    """The tool call's id."""
    file: str = ""
    line: int | None = None
    """In the file as it is at the end."""
    quote: str = ""


class Verdict(Record):
    """What was found of one item."""

    item: str
    """Its id."""
    result: Result
    why: str = ""
    evidence: tuple[Evidence, ...] = ()
    by_query: tuple[Result, ...] = ()
    """One for each of the user's turns, where the item has to hold in every one."""


class ItemVerdict(Verdict):
    """A verdict with what a report has to know of its item."""

    source: str
    severity: str
    kind: str
    """Of the check that decided it; `judge` where a judge did."""
    statement: str


class Compliance(Record):
    """How a run kept to its checklist."""

    isr: bool | None
    """Instruction success: every item that applies is a pass. None where that is not known."""
    csr: float | None
    """Check success: the share of passes among the items that were decided. None where none was."""
    n_pass: int = 0
    n_fail: int = 0
    n_error: int = 0
    n_not_applicable: int = 0


class Judging(Record):
    """What a judge's verdicts of one run took."""

    model: str
    votes: int
    rule: str
    n_calls: int = 0
    n_cached: int = 0
    """Of them, answered before."""
    prompt_tokens: int = Field(default=0, ge=0)
    """Of the calls that were made now, as the next two."""
    completion_tokens: int = Field(default=0, ge=0)
    cost_usd: float | None = None
    """None where no price was given."""
    cut_chars: int = 0
    """Of the record, that the judge was not shown."""
