"""What `agentgym score` does: roll out or read, decide, store, report. How it is shown is in show.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agentgym import entry
from agentgym.cli import compliance as show
from agentgym.cli.console import note, warn
from agentgym.cli.rolling import Run
from agentgym.cli.select import select
from agentgym.errors import TaskError, UsageError
from agentgym.sandbox.cache import cache_folder
from agentgym.scoring.checklist import Checklist, read_checklist
from agentgym.scoring.judge import Answers, Judge, JudgeConfig
from agentgym.scoring.report import Comparison, Report, ScoredRun, Stats, compare, report, stats
from agentgym.scoring.score import score
from agentgym.store import TrajectoryStore
from agentgym.task import Task
from agentgym.trajectory import Trajectory

__all__ = ["JudgeOptions", "Scored", "compared", "score_recorded", "score_suite", "show", "suite_of", "suite_stats"]

Checklists = Mapping[str, Checklist]
"""By the task's checksum."""


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """What the user says of the judge."""

    spec: str | None
    options: Mapping[str, Any]
    """The model's."""
    votes: int
    rule: str
    price: str | None
    answers: Path | None

    @contextmanager
    def opened(self) -> Iterator[Judge | None]:
        """None where none is named. Raises UsageError."""
        if self.spec is None:
            yield None
            return
        with closing(self._judge(self.spec)) as judge:
            yield judge

    def _judge(self, spec: str) -> Judge:
        prompt_usd, completion_usd = self._prices()
        try:
            config = JudgeConfig.model_validate(
                {
                    "votes": self.votes,
                    "rule": self.rule,
                    "prompt_price_usd": prompt_usd,
                    "completion_price_usd": completion_usd,
                }
            )
        except ValidationError as error:
            raise UsageError(f"--{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}") from None
        kind, _, rest = spec.partition(":")
        if kind == "replay":
            if not Path(rest).is_file():
                raise UsageError(f"--judge {spec}: no such file; wanted a .jsonl of a judge's answers")
            return Judge(None, config, answers=Answers(Path(rest)))
        path = self.answers or cache_folder() / "judge" / "answers.jsonl"
        return Judge(entry.make_model(spec, self.options), config, answers=Answers(path))

    def _prices(self) -> tuple[float | None, float | None]:
        if self.price is None:
            return None, None
        try:
            read, written = map(float, self.price.split(","))
        except ValueError:
            raise UsageError(f"--price {self.price}: wanted two numbers, such as 2.5,10") from None
        return read, written


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
    newest = {trajectory.key: trajectory for trajectory in summary.trajectories}
    for trajectory in newest.values():
        if trajectory.settled and not _is_decided(trajectory, judge):
            scored = finish(trajectory)
            if scored != trajectory:
                store.append(scored)
                newest[scored.key] = scored
    exit_code = dataclasses.replace(summary, one_task=False).exit_code()
    return Scored(summary.out, _report(newest.values()), exit_code)


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
    if missing := [file for file in files if not file.is_file()]:
        raise UsageError(f"{missing[0]}: no such file; wanted a .jsonl of trajectories")
    if out in files:
        raise UsageError(f"--out {out}: found one of the files that are scored, wanted another")
    store = TrajectoryStore(out)
    done = {trajectory.id: trajectory for trajectory in store if _is_decided(trajectory, judge)}
    recorded = {trajectory.key: trajectory for file in files for trajectory in TrajectoryStore(file)}
    checklists = _checklists_of(recorded.values(), patterns)
    known = [trajectory for trajectory in recorded.values() if trajectory.task.checksum in checklists]
    if not known:
        raise UsageError(f"{files[0]}: found no trajectory of a task that is here and has a checklist; name its suite")
    newest = {trajectory.key: done[trajectory.id] for trajectory in known if trajectory.id in done}
    due = [trajectory for trajectory in known if trajectory.id not in done]
    if newest:
        note(f"{out}: {len(newest)} of {len(known)} decided before, {len(due)} to go")

    def decide(trajectory: Trajectory) -> Trajectory:
        return score(checklists[trajectory.task.checksum], trajectory, judge, judge_all=judge_all)

    with ThreadPoolExecutor(parallel) as threads:
        for scored in threads.map(decide, due):
            store.append(scored)
            newest[scored.key] = scored
    return Scored(out, _report(newest.values()), 0)


def compared(one: Path, other: Path) -> Comparison:
    """Of two files with the same runs. Raises UsageError."""
    if missing := [file for file in (one, other) if not file.is_file()]:
        raise UsageError(f"{missing[0]}: no such file; wanted a .jsonl of scored trajectories")
    found = compare(*(map(ScoredRun.model_validate, TrajectoryStore(file)) for file in (one, other)))
    if not found.overall.n + found.overall.n_undecided:
        raise UsageError(f"{one}: found no run that {other} has too, scored in both")
    return found


def _is_decided(trajectory: Trajectory, judge: Judge | None) -> bool:
    """Whether scoring it again could bring nothing new: a judge may decide what was left to nobody."""
    outcome = trajectory.outcome
    if outcome is None or outcome.compliance is None:
        return False
    return judge is None or not any(v.result == "error" and v.kind == "judge" for v in outcome.checklist)


def _checklists_of(trajectories: Iterable[Trajectory], patterns: Sequence[str]) -> Checklists:
    """Of the tasks that were worked on; those that are not here any more, or have changed, are told of."""
    wanted = {trajectory.task.name: trajectory.task.checksum for trajectory in trajectories}
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


def _report(trajectories: Iterable[Trajectory]) -> Report:
    return report(ScoredRun.model_validate(trajectory) for trajectory in trajectories)
