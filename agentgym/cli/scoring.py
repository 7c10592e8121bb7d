"""What `agentgym score` does: roll out or read, decide, store, report. How it is shown is in compliance.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from agentgym.cli.console import note, warn
from agentgym.cli.rolling import Run
from agentgym.cli.select import select
from agentgym.errors import TaskError, UsageError
from agentgym.index import Entry, TrajectoryIndex, open_index
from agentgym.scoring.checklist import Checklist, read_checklist
from agentgym.scoring.judge import Judge
from agentgym.scoring.report import Comparison, Report, ScoredRun, Stats, compare, report, stats
from agentgym.scoring.score import JUDGE, score
from agentgym.store import TrajectoryStore
from agentgym.task import Task
from agentgym.trajectory import Trajectory

Checklists = Mapping[str, Checklist]
"""By the task's checksum."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What a command came to."""

    out: Path
    report: Report
    exit_code: int

    def write(self) -> None:
        """The report beside the trajectories."""
        stem = self.out.name.removesuffix(".gz").removesuffix(".jsonl")
        data, page = (self.out.with_name(f"{stem}.report.{ending}") for ending in ("json", "html"))
        data.write_text(self.report.model_dump_json(indent=2) + "\n", encoding="utf-8")
        note(f"trajectories: {self.out}\nreport: {data}")
        try:
            from agentgym.viewer.compliance import report_page
        except ImportError:
            note("no HTML report: it needs jinja2 (pip install 'agentgym[web]')")
            return
        page.write_text(report_page(self.report), encoding="utf-8")
        note(f"report: {page}")


def suite_of(patterns: Sequence[str]) -> list[tuple[Task, Checklist]]:
    """The tasks that have a checklist, with it. Raises TaskError that names every problem of every one."""
    suite, problems, without = [], [], []
    for task in select(patterns):
        if task.checklist is None:
            without.append(task.name)
            continue
        try:
            suite.append((task, read_checklist(task)))
        except TaskError as error:
            problems += str(error).splitlines()
    if problems:
        raise TaskError("\n".join(problems))
    if not suite:
        raise UsageError(f"found no task with a checklist.toml in {', '.join(patterns)}, wanted one or more")
    if without:
        raise UsageError(
            f"found {len(without)} tasks without a checklist.toml ({', '.join(without[:3])}), wanted a suite that is "
            "scored by checklists alone"
        )
    return suite


def suite_stats(patterns: Sequence[str]) -> Stats:
    """Raises TaskError, UsageError."""
    return stats(suite_of(patterns))


def score_suite(
    run: Run, suite: Sequence[tuple[Task, Checklist]], judge: Judge | None, *, judge_all: bool = False
) -> Scored:
    """Roll out what is due and score it; what was rolled out before and is not decided is scored again."""
    checklists = {task.checksum: checklist for task, checklist in suite}

    def finish(trajectory: Trajectory) -> Trajectory:
        return score(checklists[trajectory.task.checksum], trajectory, judge, judge_all=judge_all)

    summary = dataclasses.replace(run, finish=finish).execute()
    store = TrajectoryStore(summary.out)
    runs = []
    for trajectory in summary.trajectories:
        known = ScoredRun.model_validate(trajectory)
        if trajectory.settled and not _is_decided(known, judge):
            scored = finish(trajectory)
            if scored != trajectory:
                store.append(scored)
                known = ScoredRun.model_validate(scored)
        runs.append(known)
    exit_code = dataclasses.replace(summary, one_task=False).exit_code()
    return Scored(summary.out, report(runs), exit_code)


def score_recorded(
    files: Sequence[Path],
    patterns: Sequence[str],
    judge: Judge | None,
    out: Path | None,
    parallel: int,
    *,
    judge_all: bool = False,
) -> Scored:
    """Score trajectories of files, into another; those that lie in it decided are not scored again."""
    out = out or files[0].with_name(f"{files[0].name.removesuffix('.gz').removesuffix('.jsonl')}.scored.jsonl")
    if out in files:
        raise UsageError(f"--out {out}: found one of the files that are scored, wanted another")
    indices = [open_index(file) for file in files]
    recorded = {entry.key: (index, entry) for index in indices for entry in index.entries}
    checklists = _checklists_of([entry for _, entry in recorded.values()], patterns)
    known = {key: found for key, found in recorded.items() if found[1].checksum in checklists}
    if not known:
        raise UsageError(f"{files[0]}: found no trajectory of a task that is here and has a checklist; name its suite")
    before = {run.id: run for run in _scored(out) if _is_decided(run, judge)} if out.exists() else {}
    runs = {key: before[entry.id] for key, (_, entry) in known.items() if entry.id in before}
    due = [found for key, found in known.items() if key not in runs]
    if runs:
        note(f"{out}: {len(runs)} of {len(known)} decided before, {len(due)} to go")

    def decide(found: tuple[TrajectoryIndex, Entry]) -> Trajectory:
        trajectory = found[0].read(found[1])  # one at a time: together they may not fit into memory
        return score(checklists[trajectory.task.checksum], trajectory, judge, judge_all=judge_all)

    store = TrajectoryStore(out)
    with ThreadPoolExecutor(parallel) as threads:
        for scored in threads.map(decide, due):
            store.append(scored)
            runs[scored.key] = ScoredRun.model_validate(scored)
    return Scored(out, report(runs.values()), 0)


def _scored(file: Path) -> Iterator[ScoredRun]:
    """Raises UsageError."""
    index = open_index(file)
    yield from (ScoredRun.model_validate(index.read(entry)) for entry in index.entries if entry.is_scored)


def compared(one: Path, other: Path) -> Comparison:
    """Of two files with the same runs. Raises UsageError."""
    found = compare(_scored(one), _scored(other))
    if not found.overall.n + found.overall.n_undecided:
        raise UsageError(f"{one}: found no run that {other} has too, scored in both")
    return found


def _is_decided(run: ScoredRun, judge: Judge | None) -> bool:
    """Whether scoring it again could bring nothing new: a judge may decide what was left to nobody."""
    if run.outcome.compliance is None:
        return False
    return judge is None or not any(v.result == "error" and v.kind == JUDGE for v in run.outcome.checklist)


def _checklists_of(entries: Iterable[Entry], patterns: Sequence[str]) -> Checklists:
    """Of the tasks that were worked on; those that are not here any more, or have changed, are told of."""
    wanted = {entry.task: entry.checksum for entry in entries}
    tasks = {task.name: task for task in _tasks(patterns, wanted)}
    checklists = {}
    for name, checksum in wanted.items():
        task = tasks.get(name)
        if task is None or task.checklist is None:
            warn(f"{name}: left out: {'no such task is here' if task is None else 'it has no checklist.toml'}")
        elif task.checksum != checksum:
            warn(f"{name}: left out: the task has changed since it was worked on")
        else:
            checklists[checksum] = read_checklist(task)
    return checklists


def _tasks(patterns: Sequence[str], names: Iterable[str]) -> Iterator[Task]:
    if patterns:
        yield from select(patterns)
        return
    for name in names:
        try:
            yield from select([name])
        except TaskError:
            continue  # told of by whoever misses it
