"""Progress of many episodes on stderr: a live table on a terminal, one plain line an episode elsewhere."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agentgym.cli.console import seconds, show_logs, stderr, table
from agentgym.env import Episode
from agentgym.rollout import Job
from agentgym.trajectory import Trajectory

_REFRESH_HZ = 4
_ACTION_CHARS = 60


@dataclass(slots=True)
class _Row:
    job: Job
    episode: Episode
    since: float = field(default_factory=time.monotonic)


class Progress:
    """Told of episodes as they begin and end. `began` may be called from any thread."""

    def __init__(self, n_jobs: int) -> None:
        self.console: Console = stderr()
        self._n_jobs = n_jobs
        self._n_done = 0
        self._n_unknown = 0
        self._rewards: list[float] = []
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()
        self._note = ""
        self._live = (
            Live(get_renderable=self._table, console=self.console, refresh_per_second=_REFRESH_HZ, transient=True)
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

    def say(self, text: str) -> None:
        """What is going on besides episodes."""
        self._note = text
        if not self._live:
            self.console.print(text)

    def began(self, job: Job, episode: Episode) -> None:
        with self._lock:
            self._rows[episode.id] = _Row(job, episode)

    def running(self) -> list[Episode]:
        with self._lock:
            return [row.episode for row in self._rows.values()]

    def ended(self, trajectory: Trajectory) -> None:
        with self._lock:
            row = self._rows.pop(trajectory.id)
            self._n_done += 1
            if trajectory.reward is None:
                self._n_unknown += 1
            else:
                self._rewards.append(trajectory.reward)
        self.console.print(self._line(trajectory, time.monotonic() - row.since))

    def _line(self, trajectory: Trajectory, spent_s: float) -> Text:
        reward = trajectory.reward
        told, style = ("unknown", "yellow") if reward is None else (f"{reward:g}", "green" if reward >= 1 else "red")
        width = len(str(self._n_jobs))
        why = trajectory.stop_reason.value if trajectory.stop_reason else "broke off"
        parts = [f"{trajectory.task.name}  {trajectory.scaffold}", why, _count(len(trajectory.turns), "turn")]
        text = Text.assemble(
            (f"[{self._n_done:>{width}}/{self._n_jobs}] ", "dim"),
            (f"reward {told}", style),
            "  " + ", ".join([*parts, seconds(spent_s)]),
        )
        if trajectory.error:
            text.append(f"\n  {trajectory.error.owner}: {trajectory.error.message.splitlines()[0]}", "yellow")
        return text

    def _table(self) -> RenderableType:
        with self._lock:
            rows = list(self._rows.values())
        head = Text.assemble((f"{self._n_done}/{self._n_jobs} done", "bold"), f"  {len(rows)} running")
        if self._rewards:
            head.append(f"  mean reward {sum(self._rewards) / len(self._rewards):.2f}")
        if self._n_unknown:
            head.append(f"  {self._n_unknown} unknown", "yellow")
        if self._note:
            head.append(f"  {self._note}", "dim")
        return Group(head, _running(rows)) if rows else head


def _running(rows: list[_Row]) -> Table:
    shown = table(["task", "scaffold", "turn>", "elapsed>", "last action"])
    for column in shown.columns:
        column.no_wrap, column.overflow = True, "ellipsis"
    now = time.monotonic()
    for row in rows:
        turns = row.episode.turns
        name = row.job.task.name + (f" #{row.job.attempt}" if row.job.attempt else "")
        shown.add_row(name, row.job.scaffold.name, str(len(turns)), seconds(now - row.since), _last_action(row.episode))
    return shown


def _last_action(episode: Episode) -> str:
    """The newest step's command, or its tool and arguments, in one line."""
    for turn in reversed(episode.turns):
        for step in reversed(turn.steps):
            arguments = step.arguments
            if isinstance(arguments, Mapping):
                alone = next(iter(arguments.values())) if len(arguments) == 1 else None
                arguments = alone if isinstance(alone, str) else json.dumps(arguments)
            return " ".join(f"{'' if step.name == 'bash' else step.name} {arguments}".split())[:_ACTION_CHARS]
    return "working" if episode.turns else "starting"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
