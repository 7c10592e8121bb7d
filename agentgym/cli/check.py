"""`agentgym tasks check`: admit tasks, show what was found, and say it all in the exit code."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from agentgym.cli.console import note, seconds, show_logs, stderr, stdout, table

if TYPE_CHECKING:
    from agentgym.admission import Admission
    from agentgym.task import Task

_STYLES = {"admitted": "green", "refused": "red", "unknown": "yellow"}
_FINDING_STYLES = {"refused": "red", "unknown": "yellow", "warning": "yellow"}
_REFUSED, _UNKNOWN = 1, 3
_WHY_CHARS = 160


def check(
    tasks: Annotated[list[str], typer.Argument(metavar="TASK…", help="Names, folders or globs.", show_default=False)],
    sandbox: Annotated[str, typer.Option(help="namespaces or docker.")] = "namespaces",
    parallel: Annotated[int, typer.Option(min=1, metavar="N", help="Episodes at once.")] = 2,
    repeats: Annotated[int, typer.Option(min=1, metavar="K", help="Runs of the solution and of doing nothing.")] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="One run each, and only the cheats that depend on the task.")
    ] = False,
    json_to: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write the whole report as JSON; - is stdout.")
    ] = None,
) -> None:
    """Check that tasks are fit to be worked on.

    The solution must be rewarded and doing nothing must not, each run alike; the listed tests must fail and pass as
    they should; cheats must earn nothing, and the fix must not lie about in the sandbox. Exit code 0: all are admitted;
    1: some are refused; 2: a task or an option is wrong; 3: infrastructure left some unknown.
    """
    from agentgym.admission import admissions
    from agentgym.backends import make_backend
    from agentgym.cli.select import select

    found = select(tasks)
    backend = make_backend(sandbox)
    done: list[Admission] = []
    began = time.monotonic()
    with _Progress(found) as progress:
        for admission in admissions(
            found, backend, parallel=parallel, repeats=repeats, quick=quick, watch=progress.working
        ):
            progress.done(admission)
            done.append(admission)
    order = {task.checksum: number for number, task in enumerate(found)}
    done.sort(key=lambda admission: order[admission.task.checksum])
    if json_to == "-":
        print(_report(done))
    else:
        _show(done)
        if json_to is not None:
            Path(json_to).write_text(_report(done) + "\n")
    counts = Counter[str](admission.verdict for admission in done)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _STYLES if counts[verdict])
    note(f"{told or 'nothing to check'} in {seconds(time.monotonic() - began)}")
    if counts["refused"] or counts["unknown"]:
        raise typer.Exit(_REFUSED if counts["refused"] else _UNKNOWN)


def _report(done: Sequence[Admission]) -> str:
    return json.dumps({"admissions": [admission.model_dump(mode="json") for admission in done]}, indent=2)


def _show(done: Sequence[Admission]) -> None:
    """One row a task, then what is wrong with which."""
    shown = table(["task", "verdict", "gold>", "nop>", "cheats>", "grading>", "time>"])
    for admission in done:
        runs = admission.runs
        cheats = [run for run in runs if run.agent not in ("gold", "nop")]
        grading_s = max((run.grading_s for run in runs), default=0.0)
        shown.add_row(
            admission.task.name,
            Text(admission.verdict, _STYLES[admission.verdict]),
            *(_rewards([run.reward for run in runs if run.agent == agent]) for agent in ("gold", "nop")),
            f"{sum(run.reward == 0 for run in cheats)}/{len(cheats)} at 0",
            seconds(grading_s),
            seconds(admission.wall_s),
        )
    if done:
        stdout().print(shown)
    for admission in done:
        for finding in admission.findings:
            if style := _FINDING_STYLES.get(finding.status):
                line = f" {admission.task.name}: {finding.name}: {finding.detail}"
                stdout().print(Text.assemble((f"{finding.status}:", style), line))


def _rewards(rewards: Sequence[float | None]) -> str:
    return " ".join("?" if reward is None else f"{reward:g}" for reward in rewards) or "-"


class _Progress:
    """What is being worked on: a live list on a terminal, a line a task elsewhere. Told from any thread."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._n_tasks, self._n_done = len(tasks), 0
        self._working: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self.console: Console = stderr()
        self._live = (
            Live(get_renderable=self._table, console=self.console, refresh_per_second=4, transient=True)
            if self.console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        show_logs(self.console)
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def working(self, task: Task, work: str) -> None:
        with self._lock:
            since, _ = self._working.get(task.name, (time.monotonic(), ""))
            self._working[task.name] = (since, work)

    def done(self, admission: Admission) -> None:
        with self._lock:
            self._working.pop(admission.task.name, None)
            self._n_done += 1
        bad = [finding for finding in admission.findings if finding.status in ("refused", "unknown")]
        why = "; ".join(f"{finding.name}: {finding.detail}" for finding in bad)
        why = why if len(why) <= _WHY_CHARS else why[: _WHY_CHARS - 1] + "…"
        self.console.print(
            Text.assemble(
                (f"[{self._n_done:>{len(str(self._n_tasks))}}/{self._n_tasks}] ", "dim"),
                (admission.verdict, _STYLES[admission.verdict]),
                f"  {admission.task.name}, {seconds(admission.wall_s)}" + (f"  {why}" if why else ""),
            )
        )

    def _table(self) -> RenderableType:
        with self._lock:
            working = dict(self._working)
        head = Text(f"{self._n_done}/{self._n_tasks} done", "bold")
        if not working:
            return head
        shown = table(["task", "doing", "elapsed>"])
        now = time.monotonic()
        for name, (since, work) in working.items():
            shown.add_row(name, work, seconds(now - since))
        return Group(head, shown)
