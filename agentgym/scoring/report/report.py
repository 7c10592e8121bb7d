"""What many scored runs come to: for all of them, for each agent, and by everything an item is known by.

    ISR          instruction success: the share of runs in which every item that applies is a pass
    CSR micro    check success: the share of passes among all decided items of all runs
    CSR macro    the mean over runs of each run's share

Runs that an agent did not bring to an end are in every denominator, as failed. Runs that infrastructure broke off are
in none: they are listed, to be run again. What is not decided (no judge was asked, or it failed) makes no run
compliant; `isr_at_most` says what ISR could still become.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentgym.scoring.report.rate import Rate, rate
from agentgym.scoring.report.run import ScoredRun
from agentgym.verdict import ItemVerdict

By = Literal["source", "kind", "severity", "decider"]
BY: dict[By, Callable[[ItemVerdict], str]] = {
    "source": lambda verdict: verdict.source,
    "kind": lambda verdict: verdict.kind,
    "severity": lambda verdict: verdict.severity,
    "decider": lambda verdict: "judge" if verdict.kind == "judge" else "program",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Group(_Part):
    """The items that have something in common."""

    name: str
    n_pass: int
    n_fail: int
    n_error: int
    n_not_applicable: int
    csr: Rate
    """Micro."""
    isr: Rate
    """The share of runs in which no item of the group is broken, among those in which one applies."""


class Matrix(_Part):
    """Success in the task beside compliance; runs without a reward, or of which compliance is not known, aside."""

    solved_compliant: int
    solved_broken: int
    unsolved_compliant: int
    unsolved_broken: int
    n_unknown: int


class UserTurn(_Part):
    """One of the user's turns."""

    turn: int
    """Counts from 1."""
    csr: Rate
    """Of the items that have to hold in every turn."""


class Summary(_Part):
    """Of some runs."""

    n_runs: int
    n_tasks: int
    n_failed: int
    """Not brought to an end by the agent."""
    n_broke_off: int
    """By infrastructure; not among `n_runs`."""
    isr: Rate
    isr_at_most: Rate
    isr_programs: Rate
    """Of the items that programs decide alone."""
    csr_micro: Rate
    csr_macro: Rate
    solved: Rate
    matrix: Matrix
    by: dict[By, list[Group]]
    user_turns: list[UserTurn]
    """Decay: how well what has to hold in every turn still holds."""
    broken_at: dict[int, int]
    """Turn of the model, from 1, to how many items were first seen broken there."""


class Agent(_Part):
    """A scaffold with a model."""

    scaffold: str
    model: str
    summary: Summary


class BrokeOff(_Part):
    """A run that infrastructure broke off."""

    task: str
    scaffold: str
    model: str
    attempt: int
    owner: str
    message: str


class Undecided(_Part):
    """An item of which nothing is known."""

    task: str
    scaffold: str
    item: str
    why: str
    n: int


class JudgeTotal(_Part):
    """What judging took."""

    model: str
    n_calls: int
    n_cached: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    cut_chars: int


class Report(_Part):
    """The whole."""

    format_version: Literal[1] = 1
    suites: list[str]
    overall: Summary
    agents: list[Agent]
    broke_off: list[BrokeOff]
    undecided: list[Undecided]
    judges: list[JudgeTotal]


def report(runs: Iterable[ScoredRun]) -> Report:
    """Of runs that were scored; of several with the same key only the newest should be given."""
    runs = list(runs)
    agents = dict.fromkeys(run.agent for run in runs)
    return Report(
        suites=sorted({run.task.suite for run in runs if run.task.suite}),
        overall=summary(runs),
        agents=[
            Agent(scaffold=agent[0], model=agent[1], summary=summary([run for run in runs if run.agent == agent]))
            for agent in agents
        ],
        broke_off=[_broke_off(run) for run in runs if run.broke_off],
        undecided=list(_undecided(runs)),
        judges=list(_judges(runs)),
    )


def summary(all_runs: Sequence[ScoredRun]) -> Summary:
    runs = [run for run in all_runs if not run.broke_off]
    return Summary(
        n_runs=len(runs),
        n_tasks=len({run.task.checksum for run in runs}),
        n_failed=sum(run.is_failed for run in runs),
        n_broke_off=len(all_runs) - len(runs),
        isr=rate((run.task.checksum, run.isr is True, 1) for run in runs),
        isr_at_most=rate((run.task.checksum, run.isr is not False, 1) for run in runs),
        isr_programs=rate((run.task.checksum, _kept(run, _by_program), 1) for run in runs),
        csr_micro=rate((run.task.checksum, *_counts(run, run.outcome.checklist)) for run in runs),
        csr_macro=rate((run.task.checksum, n_pass / n, 1) for run, n_pass, n in _shares(runs)),
        solved=rate((run.task.checksum, run.is_solved, 1) for run in runs if run.outcome.reward is not None),
        matrix=_matrix(runs),
        by={by: list(_groups(runs, name_of)) for by, name_of in BY.items()},
        user_turns=list(_user_turns(runs)),
        broken_at=_broken_at(runs),
    )


def _by_program(verdict: ItemVerdict) -> bool:
    return verdict.kind != "judge"


def _kept(run: ScoredRun, of: Callable[[ItemVerdict], bool]) -> bool:
    """Whether none of these items is broken or undecided in a run that came to its end."""
    return not run.is_failed and all(v.result not in ("fail", "error") for v in run.outcome.checklist if of(v))


def _counts(run: ScoredRun, verdicts: Iterable[ItemVerdict]) -> tuple[int, int]:
    """Passes, and decided items; in a failed run what could not be decided is decided against it."""
    counts = Counter(verdict.result for verdict in verdicts)
    return counts["pass"], counts["pass"] + counts["fail"] + (counts["error"] if run.is_failed else 0)


def _shares(runs: Sequence[ScoredRun]) -> Iterator[tuple[ScoredRun, int, int]]:
    for run in runs:
        n_pass, n = _counts(run, run.outcome.checklist)
        if n:
            yield run, n_pass, n


def _matrix(runs: Sequence[ScoredRun]) -> Matrix:
    cells = Counter((run.is_solved, run.isr) for run in runs if run.outcome.reward is not None and run.isr is not None)
    return Matrix(
        solved_compliant=cells[True, True],
        solved_broken=cells[True, False],
        unsolved_compliant=cells[False, True],
        unsolved_broken=cells[False, False],
        n_unknown=len(runs) - cells.total(),
    )


def _groups(runs: Sequence[ScoredRun], name_of: Callable[[ItemVerdict], str]) -> Iterator[Group]:
    """By name."""
    for name in sorted({name_of(verdict) for run in runs for verdict in run.outcome.checklist}):
        in_group = [(run, [v for v in run.outcome.checklist if name_of(v) == name]) for run in runs]
        counts = Counter(verdict.result for _, verdicts in in_group for verdict in verdicts)
        applying = [(r, vs) for r, vs in in_group if any(v.result != "not_applicable" for v in vs)]
        yield Group(
            name=name,
            n_pass=counts["pass"],
            n_fail=counts["fail"],
            n_error=counts["error"],
            n_not_applicable=counts["not_applicable"],
            csr=rate((run.task.checksum, *_counts(run, verdicts)) for run, verdicts in in_group),
            isr=rate(
                (run.task.checksum, _kept(run, lambda v: name_of(v) == name), 1)  # noqa: B023 -- used at once
                for run, _ in applying
            ),
        )


def _user_turns(runs: Sequence[ScoredRun]) -> Iterator[UserTurn]:
    longest = max((len(v.by_query) for run in runs for v in run.outcome.checklist), default=0)
    for n in range(longest):
        seen = [
            (run.task.checksum, verdict.by_query[n] == "pass", verdict.by_query[n] in ("pass", "fail"))
            for run in runs
            for verdict in run.outcome.checklist
            if n < len(verdict.by_query)
        ]
        yield UserTurn(turn=n + 1, csr=rate(seen))


def _broken_at(runs: Sequence[ScoredRun]) -> dict[int, int]:
    firsts = Counter(
        min(turns) + 1
        for run in runs
        for verdict in run.outcome.checklist
        if verdict.result == "fail"
        and (turns := [evidence.turn for evidence in verdict.evidence if evidence.turn is not None])
    )
    return dict(sorted(firsts.items()))


def _broke_off(run: ScoredRun) -> BrokeOff:
    error = run.error
    return BrokeOff(
        task=run.task.name,
        scaffold=run.scaffold,
        model=run.model,
        attempt=run.attempt,
        owner=error.owner if error else "unknown",
        message=error.message.split("\n", 1)[0] if error else "no reason was recorded",
    )


def _undecided(runs: Sequence[ScoredRun]) -> Iterator[Undecided]:
    """Of runs that came to their end; of many for the same reason one line."""
    found = Counter(
        (run.task.name, run.scaffold, verdict.item, verdict.why)
        for run in runs
        if not run.broke_off and not run.is_failed
        for verdict in run.outcome.checklist
        if verdict.result == "error"
    )
    for (task, scaffold, item, why), n in found.items():
        yield Undecided(task=task, scaffold=scaffold, item=item, why=why, n=n)


def _judges(runs: Sequence[ScoredRun]) -> Iterator[JudgeTotal]:
    judgings = [run.outcome.judging for run in runs if run.outcome.judging is not None]
    for model in dict.fromkeys(judging.model for judging in judgings):
        own = [judging for judging in judgings if judging.model == model]
        costs = [judging.cost_usd for judging in own if judging.cost_usd is not None]
        yield JudgeTotal(
            model=model,
            n_calls=sum(judging.n_calls for judging in own),
            n_cached=sum(judging.n_cached for judging in own),
            prompt_tokens=sum(judging.prompt_tokens for judging in own),
            completion_tokens=sum(judging.completion_tokens for judging in own),
            cost_usd=sum(costs) if costs else None,
            cut_chars=sum(judging.cut_chars for judging in own),
        )
