"""Success on tasks that are never trained on: the same tasks each time, under the present version of the policy.

It goes before the rollouts that train wherever both wait for a worker. What was made of the success is not known.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentgym.task import Task
from agentgym.trajectory import Trajectory
from rl.errors import TrainingError
from rl.rollout.group import PASSED
from rl.rollout.roller import Keep, RollOut
from rl.rollout.workers import Ticket, Workers

_FIRST = -1
"""Order before every group's."""
_LOOK_S = 0.5


@dataclass
class _Measurement:
    """One that goes on."""

    passed: dict[str, list[bool]]
    n_open: int
    tickets: set[Ticket] = field(default_factory=set)
    error: str = ""


class Heldout:
    def __init__(
        self, tasks: Mapping[str, Sequence[Task]], *, workers: Workers, roll_out: RollOut, keep: Keep, give_up_s: float
    ) -> None:
        """tasks: by split. give_up_s: as in `RolloutsConfig`."""
        self._tasks = {split: tuple(of_split) for split, of_split in tasks.items() if of_split}
        self._workers, self._roll_out, self._keep = workers, roll_out, keep
        self._give_up_s = give_up_s
        self._changed = threading.Condition()

    def measure(self, stop: threading.Event) -> dict[str, float] | None:
        """Share of the graded episodes that passed, by split; None where `stop` is set before the end.

        Raises TrainingError: a split has no graded episode.
        """
        measured = _Measurement({split: [] for split in self._tasks}, sum(map(len, self._tasks.values())))
        with self._changed:
            for split, tasks in self._tasks.items():
                for task in tasks:
                    self._submit(measured, split, task)
        while not stop.is_set():
            with self._changed:
                if self._workers.failure is not None:
                    raise self._workers.failure
                if not measured.n_open:
                    return _shares(measured)
                self._changed.wait(_LOOK_S)
            self._give_up_hung(measured)
        for ticket in list(measured.tickets):
            self._workers.give_up(ticket)
        return None

    def _submit(self, measured: _Measurement, split: str, task: Task) -> None:
        def act(ticket: Ticket) -> None:
            trajectory = self._roll_out(task, 0, ticket.watch)
            self._keep(trajectory)
            with self._changed:
                if ticket in measured.tickets:
                    self._take(measured, split, trajectory)
                    self._end(measured, ticket)

        measured.tickets.add(self._workers.submit(act, order=_FIRST))

    def _take(self, measured: _Measurement, split: str, trajectory: Trajectory) -> None:
        if trajectory.reward is not None:
            measured.passed[split].append(trajectory.reward >= PASSED)
        elif trajectory.error is not None:
            measured.error = trajectory.error.message

    def _end(self, measured: _Measurement, ticket: Ticket) -> None:
        measured.tickets.discard(ticket)
        measured.n_open -= 1
        self._changed.notify_all()

    def _give_up_hung(self, measured: _Measurement) -> None:
        for ticket in self._workers.overdue(self._give_up_s):
            with self._changed:
                if ticket in measured.tickets:
                    self._workers.give_up(ticket)
                    self._end(measured, ticket)


def _shares(measured: _Measurement) -> dict[str, float]:
    for split, passed in measured.passed.items():
        if not passed:
            raise TrainingError(f"{split}: found no episode with a reward, wanted some: {measured.error}")
    return {split: statistics.fmean(passed) for split, passed in measured.passed.items()}
