"""The same runs scored twice, by two judges, or by a judge and by programs: how far the verdicts agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from agentgym.scoring.judge.agreement import agreement
from agentgym.scoring.report.run import ScoredRun
from agentgym.verdict import ItemVerdict, Result

Pair = tuple[ItemVerdict, ItemVerdict]


class Agreed(BaseModel):
    """Of some items; see `judge.agreement.Agreement`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    n: int
    n_agreed: int
    kappa: float | None
    n_undecided: int
    disagreements: dict[str, int]
    """`pass/fail`: what the one said and what the other."""


class Comparison(BaseModel):
    """Of the items that both have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overall: Agreed
    by_kind: list[Agreed]


def compare(one: Iterable[ScoredRun], other: Iterable[ScoredRun]) -> Comparison:
    """Runs are the same where their ids are."""
    known = {run.id: {verdict.item: verdict for verdict in run.outcome.checklist} for run in other}
    pairs = [
        (verdict, known[run.id][verdict.item])
        for run in one
        if run.id in known
        for verdict in run.outcome.checklist
        if verdict.item in known[run.id]
    ]
    kinds: Mapping[str, list[Pair]] = {
        kind: [pair for pair in pairs if pair[0].kind == kind] for kind in sorted({pair[0].kind for pair in pairs})
    }
    return Comparison(overall=_agreed("all", pairs), by_kind=[_agreed(kind, found) for kind, found in kinds.items()])


def _agreed(name: str, pairs: Iterable[Pair]) -> Agreed:
    results: list[tuple[Result, Result]] = [(one.result, other.result) for one, other in pairs]
    found = agreement(results)
    return Agreed(
        name=name,
        n=found.n,
        n_agreed=found.n_agreed,
        kappa=found.kappa,
        n_undecided=found.n_undecided,
        disagreements={"/".join(pair): n for pair, n in found.disagreements.items()},
    )
