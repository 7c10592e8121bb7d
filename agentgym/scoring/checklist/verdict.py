"""What one check found, and how several findings are one. Of an item it is a verdict: `agentgym/verdict.py`."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from agentgym.verdict import Evidence, Result, Verdict

__all__ = [
    "QUOTE_CHARS",
    "Evidence",
    "Finding",
    "Result",
    "Verdict",
    "beside",
    "every",
    "failed",
    "found",
    "passed",
    "some",
    "undecided",
]

QUOTE_CHARS = 200
"""Kept of a quote."""


class Finding(BaseModel):
    """What one check found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    result: Result
    why: str = ""
    evidence: tuple[Evidence, ...] = ()


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
