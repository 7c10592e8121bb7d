"""Scores a trajectory by its task's checklist: programs first, a judge for the rest. The verdicts go into the outcome.

The reward stays what it is. An item that nobody decides is an error, and so is one whose check breaks: scoring loses
no trajectory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from agentgym.scoring.checklist import Checklist, Item, check
from agentgym.scoring.checklist.registry import Check
from agentgym.scoring.compliance import compliance
from agentgym.scoring.judge import Judge, Question
from agentgym.trajectory import Outcome, Trajectory
from agentgym.verdict import ItemVerdict, Judging, Verdict

logger = logging.getLogger(__name__)

_KEPT = "Did the agent keep to this instruction?"
JUDGE = "judge"
"""The kind of an item that no program decides."""


def score(
    checklist: Checklist, trajectory: Trajectory, judge: Judge | None = None, *, judge_all: bool = False
) -> Trajectory:
    """The trajectory with its verdicts, in the order of the items, and what they come to.

    `judge_all`: the judge decides what programs could, too, so that the two can be compared.
    """
    try:
        decided = {verdict.item: verdict for verdict in check(checklist, trajectory)}
    except Exception as error:
        logger.exception("a check broke on trajectory %s of %s", trajectory.id, trajectory.task.name)
        broken = f"a check broke: {type(error).__name__}: {error}"
        decided = {item.id: Verdict(item=item.id, result="error", why=broken) for item in checklist.items}
    if judge_all:
        decided = {}
    left = [item for item in checklist.items if item.id not in decided]
    judged, judging = _judge(left, trajectory, judge)
    decided |= judged
    verdicts = [_of_item(item, decided[item.id]) for item in checklist.items]
    outcome = (trajectory.outcome or Outcome()).model_copy(
        update={"checklist": verdicts, "compliance": compliance(verdicts, trajectory), "judging": judging}
    )
    return trajectory.model_copy(update={"outcome": outcome})


def decided_by(item: Item) -> str:
    """The kinds of the checks that decide it, those within others included but not those around them; or `judge`."""
    return JUDGE if item.check is None else " + ".join(dict.fromkeys(_leaves(item.check)))


def _judge(items: list[Item], trajectory: Trajectory, judge: Judge | None) -> tuple[dict[str, Verdict], Judging | None]:
    if judge is None:
        return {item.id: Verdict(item=item.id, result="error", why="no judge was asked") for item in items}, None
    questions = [Question(item.id, item.judge or f"{_KEPT} {item.statement}") for item in items]
    judgement = judge.judge(questions, trajectory)
    return {verdict.item: verdict for verdict in judgement.verdicts}, judgement.judging


def _of_item(item: Item, verdict: Verdict) -> ItemVerdict:
    return ItemVerdict(
        **dict(verdict), source=item.source, severity=item.severity, kind=decided_by(item), statement=item.statement
    )


def _leaves(check: Check) -> Iterator[str]:
    inner = [value for name in type(check).model_fields for value in _checks(getattr(check, name))]
    if not inner:
        yield check.kind
    for one in inner:
        yield from _leaves(one)


def _checks(value: object) -> list[Check]:
    values = value if isinstance(value, tuple) else (value,)
    return [one for one in values if isinstance(one, Check)]
