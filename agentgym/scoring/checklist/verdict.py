"""What was found: of one check (a finding), of one item (a verdict), and where in the record it is to be seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

Result = Literal["pass", "fail", "not_applicable", "error"]
"""error: it could not be decided, which is no pass and no fail."""

QUOTE_CHARS = 200
"""Kept of a quote."""


class Evidence(BaseModel):
    """A place in the record. Numbers count from 0, lines from 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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


class Finding(BaseModel):
    """What one check found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    result: Result
    why: str = ""
    evidence: tuple[Evidence, ...] = ()


class Verdict(BaseModel):
    """What was found of one item."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: str
    """Its id."""
    result: Result
    why: str = ""
    evidence: tuple[Evidence, ...] = ()
    by_query: tuple[Result, ...] = ()
    """One for each of the user's turns, where the item has to hold in every one."""


def passed(why: str = "", evidence: Sequence[Evidence] = ()) -> Finding:
    return Finding(result="pass", why=why, evidence=tuple(evidence))


def failed(why: str, evidence: Sequence[Evidence] = ()) -> Finding:
    return Finding(result="fail", why=why, evidence=tuple(evidence))


def beside(why: str) -> Finding:
    """Not applicable."""
    return Finding(result="not_applicable", why=why)


def undecided(why: str) -> Finding:
    """An error."""
    return Finding(result="error", why=why)


def found(ok: bool, why_not: str, evidence: Sequence[Evidence] = (), *, why: str = "") -> Finding:
    """A pass where `ok`, else a fail for `why_not`; the evidence stands for either."""
    return passed(why, evidence) if ok else failed(why_not, evidence)


def every(findings: Sequence[Finding]) -> Finding:
    """All of them: one fail fails, whatever else could not be decided; what does not apply is left out."""
    for result in ("fail", "error", "pass"):
        chosen = [finding for finding in findings if finding.result == result]
        if chosen:
            return _joined(chosen)
    return _joined(findings) if findings else beside("there is nothing to look at")


def some(findings: Sequence[Finding]) -> Finding:
    """At least one of them: one pass passes."""
    for result in ("pass", "error", "fail"):
        chosen = [finding for finding in findings if finding.result == result]
        if chosen:
            return _joined(chosen[:1] if result == "pass" else chosen)
    return _joined(findings) if findings else beside("there is nothing to look at")


def _joined(findings: Sequence[Finding]) -> Finding:
    why = "; ".join(dict.fromkeys(finding.why for finding in findings if finding.why))
    evidence = tuple(dict.fromkeys(evidence for finding in findings for evidence in finding.evidence))
    return Finding(result=findings[0].result, why=why, evidence=evidence)
