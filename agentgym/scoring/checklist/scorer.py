"""Decides a checklist's items by program, over what a trajectory has on record.

It asks no model: items with a judge's question are left over, but for those that a program can tell not to apply.
"""

from __future__ import annotations

import logging

from agentgym.protocols import StopReason
from agentgym.scoring.checklist.item import Checklist, Item
from agentgym.scoring.checklist.record import Record
from agentgym.scoring.checklist.recording import record_of
from agentgym.scoring.checklist.registry import Check
from agentgym.scoring.checklist.verdict import Finding, Result, Verdict, every, undecided
from agentgym.trajectory import Trajectory

logger = logging.getLogger(__name__)


def check(checklist: Checklist, trajectory: Trajectory) -> list[Verdict]:
    """Verdicts in the order of the items: of each that a program decides, and of those for a judge that do not apply,
    or that cannot be told from this trajectory.

    Of a trajectory that was cut short only what is broken already is told: the rest is an error, never a pass.
    """
    if broken := [n for n, call in enumerate(trajectory.calls) if call.parent is not None and call.parent >= n]:
        why = f"the record is broken: call {broken[0]} goes on from one that comes after it"
        return [Verdict(item=item.id, result="error", why=why) for item in checklist.items]
    record = record_of(
        trajectory, instructions=checklist.instructions, given=checklist.given, workdir=checklist.workdir
    )
    cut = cut_short(checklist, trajectory, record)
    verdicts = []
    for item in checklist.items:
        verdict = _verdict(item, record)
        if cut and (verdict is None or verdict.result != "fail" or not record.replies):
            verdict = Verdict(item=item.id, result="error", why=cut)
        if verdict is not None:
            verdicts.append(verdict)
    return verdicts


def cut_short(checklist: Checklist, trajectory: Trajectory, record: Record) -> str:
    """Why the trajectory is not all that there was to be; empty where it is."""
    reason = trajectory.stop_reason
    if not record.replies:
        return "the trajectory holds no reply"
    if reason is None or not reason.is_graded:
        return f"the episode broke off: {trajectory.error.message if trajectory.error else reason or 'no stop reason'}"
    if reason not in (StopReason.SUBMITTED, StopReason.SOLVED):
        return f"the episode was cut short: {reason}"
    reached, wanted = max(record.queries) + 1, len(record.asked)
    if reached < wanted:
        return f"the episode was cut short: it reached {reached} of the user's {wanted} turns"
    return ""


def _verdict(item: Item, record: Record) -> Verdict | None:
    """None where it is a judge's to decide."""
    if item.applies_when is not None:
        applies = _look(item.applies_when, record)
        if applies.result != "pass":
            result: Result = "error" if applies.result == "error" else "not_applicable"
            return Verdict(item=item.id, result=result, why=applies.why)
    if item.check is None:
        return None
    if item.persistence != "every_turn":
        return _of(item, _look(item.check, record))
    findings = [_look(item.check, record.query(number)) for number in record.queries]
    whole = every(findings)
    return _of(item, whole).model_copy(update={"by_query": tuple(finding.result for finding in findings)})


def _look(check: Check, record: Record) -> Finding:
    """A check that breaks, on what an agent wrote or on a fault of its own, decides nothing and voids no other."""
    try:
        return check.look(record)
    except Exception as error:
        logger.exception("a check of kind %s broke", check.kind)
        return undecided(f"the check broke: {type(error).__name__}: {error}")


def _of(item: Item, finding: Finding) -> Verdict:
    return Verdict(item=item.id, result=finding.result, why=finding.why, evidence=finding.evidence)
