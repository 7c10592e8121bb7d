"""Groups in the making: what the scheduler starts is rolled out by workers, and what comes of it is told to it.

The scheduler, the curriculum and all groups are guarded by one lock here: workers bring episodes at any time, and the
trainer's thread asks for batches. What a state has to hold is read under it, so that it is of one moment. Rewards come
from verifiers, weights from the trainer; neither is known here.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agentgym.errors import AgentGymError
from agentgym.task import Task
from rl.config import RolloutsConfig
from rl.errors import NothingToLearn, TrainingError
from rl.objective.advantage import Spread
from rl.objective.reward import RewardConfig
from rl.rollout.group import Group, Member
from rl.rollout.roller import Keep, RollOut, fault
from rl.rollout.tally import Tally
from rl.rollout.workers import Ticket, Workers
from rl.scheduling.scheduler import Fetched, Scheduler
from rl.tasks.curriculum import Curriculum
from rl.tasks.sources import TaskPool

BROKEN = "broken"
"""Why a group came to nothing: infrastructure, where less than two members are left."""
_LOOK_S = 0.5
"""Between two looks for what hangs, while the trainer waits."""


@dataclass
class _Running:
    """A group that is not finished."""

    slot: int
    candidate: str
    retries_left: int
    members: list[Member | None]
    task: Task | None = None
    n_open: int = 0
    """Episodes that are still to end."""
    tickets: list[Ticket] = field(default_factory=list)
    error: str = ""
    """Of the last episode that infrastructure broke."""


class Rollouts:
    def __init__(
        self,
        config: RolloutsConfig,
        reward: RewardConfig,
        *,
        scheduler: Scheduler,
        curriculum: Curriculum,
        pool: TaskPool,
        workers: Workers,
        roll_out: RollOut,
        keep: Keep,
        seed: int,
        groups: Mapping[int, Group] | None = None,
        candidates: Mapping[int, str] | None = None,
    ) -> None:
        """groups, candidates: of a restored state, by slot; see the properties of these names."""
        self.config, self._reward = config, reward
        self.tally = Tally()
        self._scheduler, self._curriculum, self._pool = scheduler, curriculum, pool
        self._workers, self._roll_out, self._keep, self._seed = workers, roll_out, keep, seed
        self._groups = dict(groups or {})
        self._candidates = dict(candidates or {})
        self._running: dict[int, _Running] = {}
        self._broken_in_a_row = self._barren_in_a_row = 0
        self._last_error = ""
        self.changed = threading.Condition(threading.RLock())
        """Held by whoever looks at scheduler, curriculum and groups together."""

    @property
    def groups(self) -> dict[int, Group]:
        """Finished, and not handed to the trainer yet."""
        return dict(self._groups)

    @property
    def candidates(self) -> dict[int, str]:
        """What each slot that is not finished works on: the same again, should it be started again."""
        return dict(self._candidates)

    def start(self) -> None:
        """Begin as many groups as the scheduler lets."""
        with self.changed:
            self._dispatch()

    def fetch(self, stop: threading.Event) -> list[tuple[Fetched, Group]] | None:
        """The next batch, once it is complete; None where `stop` is set before.

        Raises NothingToLearn, TrainingError (infrastructure), and what a worker raised.
        """
        while not stop.is_set():
            with self.changed:
                now_s = time.monotonic()
                for slot in self._scheduler.tick(now_s):
                    self._cancel(slot)
                batch = self._scheduler.fetch(now_s)
                self._dispatch()
                if batch is not None:
                    return [(fetched, self._groups.pop(fetched.slot)) for fetched in batch]
                self._check()
                self.changed.wait(_LOOK_S)
            self._give_up_hung()
        return None

    def published(self, version: int) -> None:
        """The engine samples from this version now."""
        with self.changed:
            for slot in self._scheduler.published(version):
                self._cancel(slot)
            for slot in set(self._groups) - set(self._scheduler.state().slots):
                del self._groups[slot]  # it got too old while it waited
            self._dispatch()

    def take_tally(self) -> Tally:
        """Of what happened since the last call of this."""
        with self.changed:
            taken, self.tally = self.tally, Tally()
            return taken

    # ---------------------------------------------------------------------------------------------------- starting

    def _dispatch(self) -> None:
        for slot in self._scheduler.dispatch():
            if slot not in self._candidates:
                self._candidates[slot] = self._curriculum.choose(slot, self._scheduler.version).name
            size = self.config.group_size
            group = _Running(slot, self._candidates[slot], self.config.retries, [None] * size, n_open=size)
            self._running[slot] = group
            self._submit(group, self._prepare)

    def _submit(self, group: _Running, act: Callable[[_Running, Ticket], None]) -> None:
        def run(ticket: Ticket) -> None:
            act(group, ticket)

        group.tickets.append(self._workers.submit(run, order=group.slot))

    def _prepare(self, group: _Running, ticket: Ticket) -> None:
        """Make the task, then let its episodes follow."""
        seed = random.Random(f"task {self._seed} {group.slot}").getrandbits(31)
        try:
            task = self._pool.task(group.candidate, seed)
        except AgentGymError as error:
            with self.changed:
                group.error = str(error)
                if self._running.get(group.slot) is group:
                    self._finish(group)
            return
        with self.changed:
            if self._running.get(group.slot) is not group:
                self._discard(group, task)
                return
            group.task = task
            for number in range(len(group.members)):
                self._episode(group, task, number)

    def _episode(self, group: _Running, task: Task, number: int) -> None:
        self._submit(group, lambda group, ticket: self._roll(group, task, number, ticket))

    # ------------------------------------------------------------------------------------------------------ ending

    def _roll(self, group: _Running, task: Task, number: int, ticket: Ticket) -> None:
        if group.slot not in self._running:
            return
        trajectory = self._roll_out(task, number, ticket.watch)
        member = Member.of(trajectory)
        with self.changed:
            if ticket.given_up or self._running.get(group.slot) is not group:
                return
            group.tickets.remove(ticket)
            self.tally.episode(trajectory)
            self._ended(group, task, number, member, fault(trajectory))
        self._keep(trajectory)

    def _ended(self, group: _Running, task: Task, number: int, member: Member | None, fault: str) -> None:
        if member is None and fault:
            group.error = fault
            if group.retries_left:
                group.retries_left -= 1
                self._episode(group, task, number)
                return
        group.members[number] = member
        group.n_open -= 1
        if not group.n_open:
            self._finish(group)

    def _finish(self, group: _Running) -> None:
        del self._running[group.slot], self._candidates[group.slot]
        if group.task is not None:
            self._discard(group, group.task)
        made = Group(slot=group.slot, task=group.candidate, members=tuple(group.members))
        self._curriculum.record(group.candidate, made.passes, len(made.graded))
        spread = made.spread(self._reward)
        self.tally.group(spread)
        self._count(spread, group.error)
        if spread is Spread.VARIED:
            if self.config.shuffle_rewards:
                made = made.shuffled(self._seed)
            if self._scheduler.done(group.slot, str(group.slot)):
                self._groups[group.slot] = made
        else:
            broken = spread is Spread.TOO_FEW and group.error
            self._scheduler.failed(group.slot, BROKEN if broken else spread.value)
        self._dispatch()
        self.changed.notify_all()

    def _discard(self, group: _Running, task: Task) -> None:
        """By a worker: nobody waits for the lock while files go."""
        self._workers.submit(lambda _: self._pool.discard(group.candidate, task), order=group.slot)

    def _count(self, spread: Spread, error: str) -> None:
        varied, broken = spread is Spread.VARIED, spread is Spread.TOO_FEW and bool(error)
        self._barren_in_a_row = 0 if varied else self._barren_in_a_row + 1
        self._broken_in_a_row = self._broken_in_a_row + 1 if broken else 0
        self._last_error = error or self._last_error

    def _cancel(self, slot: int) -> None:
        """The scheduler has given it up."""
        group = self._running.pop(slot)
        self._candidates.pop(slot)
        for ticket in group.tickets:
            self._workers.give_up(ticket)
        if group.task is not None:
            self._discard(group, group.task)

    def _give_up_hung(self) -> None:
        for ticket in self._workers.overdue(self.config.give_up_s):
            with self.changed:
                group = next((group for group in self._running.values() if ticket in group.tickets), None)
                if group is None:  # it has just ended
                    continue
                self._workers.give_up(ticket)
                group.error = f"an episode did not end within give_up_s = {self.config.give_up_s:g}"
                group.n_open -= 1
                if not group.n_open:
                    self._finish(group)

    # ---------------------------------------------------------------------------------------------------- checking

    def _check(self) -> None:
        if self._workers.failure is not None:
            raise self._workers.failure
        if self._broken_in_a_row >= self.config.broken_groups_max:
            raise TrainingError(
                f"{self._broken_in_a_row} groups in a row came to nothing, because infrastructure failed; the last "
                f"time: {self._last_error}; mend that, and go on with --resume"
            )
        if self._barren_in_a_row >= self.config.barren_groups_max:
            raise NothingToLearn(
                f"{self._barren_in_a_row} groups in a row taught nothing, wanted one whose rewards differ: the tasks "
                "are too hard or too easy for this policy; warm it up, or choose others"
            )
