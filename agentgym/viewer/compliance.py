"""How the agents of a run kept to their checklists: the report's numbers, and the broken items behind each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from urllib.parse import urlencode

from agentgym.scoring.report import Report, ScoredRun, report
from agentgym.scoring.report.report import BY
from agentgym.verdict import Evidence, ItemVerdict
from agentgym.viewer.runs import Run
from agentgym.viewer.templating import STATIC, templates

PAGE = 100
"""Broken items on one page."""
RESULTS = ("fail", "error", "pass", "not_applicable")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which items a page is asked for. Everything is text from outside: what has no meaning asks for nothing."""

    scaffold: str = ""
    model: str = ""
    source: str = ""
    kind: str = ""
    severity: str = ""
    decider: str = ""
    task: str = ""
    item: str = ""
    result: str = "fail"
    first: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Filter:
        told = {field.name: query[field.name] for field in fields(cls) if query.get(field.name)}
        first = told.pop("first", "")
        if told.get("result") not in RESULTS:
            told.pop("result", None)
        number = int(first) if first.isascii() and first.isdigit() and len(first) < 9 else 1
        return cls(**told, first=max(1, number))

    @property
    def names(self) -> dict[str, str]:
        """What is asked for beside the result, by what it is."""
        return {name: value for name, value in asdict(self).items() if value and name not in ("result", "first")}

    def text(self, **changes: str | int) -> str:
        """As the end of an address."""
        changed = asdict(replace(self, **changes))  # type: ignore[arg-type]
        told = {name: value for name, value in changed.items() if value != _DEFAULT[name]}
        return f"?{urlencode(told, errors='replace')}" if told else ""

    def fits(self, run: ScoredRun, verdict: ItemVerdict) -> bool:
        had = {"scaffold": run.scaffold, "model": run.model, "task": run.task.name, "item": verdict.item}
        had |= {by: name_of(verdict) for by, name_of in BY.items()}
        return verdict.result == self.result and all(had[name] == value for name, value in self.names.items())


_DEFAULT = asdict(Filter())


@dataclass(frozen=True, slots=True)
class Broken:
    """An item of an episode, and where to look for it."""

    number: int
    """The episode's, in the file."""
    run: ScoredRun
    verdict: ItemVerdict
    places: tuple[Evidence, ...]
    """One for each turn, the first that says so."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The scored episodes of a run, by their number in the file; of several with the same key the newest."""

    runs: Mapping[int, ScoredRun]
    report: Report


def scored(run: Run, _stamp: str) -> Scored:
    """Raises UsageError, OSError."""
    newest = {entry.key: number for number, entry in enumerate(run.entries) if entry.is_scored}
    runs = {number: run.scored(run.entries[number]) for number in sorted(newest.values())}
    return Scored(runs, report(runs.values()))


def broken(runs: Sequence[tuple[int, ScoredRun]], wanted: Filter) -> list[Broken]:
    """The items that fit, in the order of the file."""
    return [
        Broken(number, run, verdict, places(verdict))
        for number, run in runs
        for verdict in run.outcome.checklist
        if wanted.fits(run, verdict)
    ]


def places(verdict: ItemVerdict) -> tuple[Evidence, ...]:
    """Where it is to be seen: what is known of one turn once."""
    first: dict[tuple[int | None, int | None, str], Evidence] = {}
    for evidence in verdict.evidence:
        call = evidence.call if evidence.turn is None else None
        first.setdefault((evidence.turn, call, evidence.file if call is None else ""), evidence)
    return tuple(first.values())


def report_page(shown: Report) -> str:
    """The whole report as one file, which needs no other."""
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    return templates().get_template("report.html").render(report=shown, wanted=Filter(), style=style)
