"""Threads that do one thing after another, as many at once as allowed, and that can be given up on.

A thread cannot be ended from outside. What hangs is given up: its sandbox is taken away, by which most of it ends,
and its place goes to another thread. What is done, in which order and why is the caller's business.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
import time
from typing import Protocol

from agentgym.env import Episode
from agentgym.errors import SandboxError

_CLOSING_S = 5.0
"""For episodes to end in when their sandboxes have gone."""


class Ticket:
    """One thing to do."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.given_up = False
        self.began_s: float | None = None
        """On the monotonic clock; None: it waits."""
        self.ended = threading.Event()
        self._episode: Episode | None = None

    def watch(self, episode: Episode) -> None:
        """It works on this episode now."""
        self._episode = episode

    def stop(self) -> None:
        """Take away the sandbox of its episode, where it has one."""
        if self._episode is not None:
            # there is none yet, or none any more
            with contextlib.suppress(SandboxError):
                self._episode.sandbox.stop()


class Act(Protocol):
    def __call__(self, ticket: Ticket) -> None:
        """Runs in a thread. What it raises ends up in `Workers.failure`."""
        ...


class Workers:
    """Safe for threads."""

    def __init__(self, parallel: int) -> None:
        self._parallel = parallel
        self.failure: BaseException | None = None
        """What an act raised: a fault of this program's, or a full disk."""
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, int, Ticket]] = []
        self._running: set[Ticket] = set()
        self._count = itertools.count()
        self._closed = False
        self._busy_s, self._since_s = 0.0, time.monotonic()

    def submit(self, act: Act, *, order: int) -> Ticket:
        """Lower orders come first; of the same, whichever was submitted first."""
        ticket = Ticket(act)
        with self._lock:
            heapq.heappush(self._waiting, (order, next(self._count), ticket))
            self._fill()
        return ticket

    def give_up(self, ticket: Ticket) -> None:
        """Do not begin it, or let another have its place."""
        with self._lock:
            ticket.given_up = True
            if ticket in self._running:
                self._account()
                self._running.discard(ticket)
                threading.Thread(target=ticket.stop, daemon=True).start()
                self._fill()

    def overdue(self, limit_s: float) -> list[Ticket]:
        """What runs for longer than that."""
        now_s = time.monotonic()
        with self._lock:
            return [each for each in self._running if each.began_s is not None and now_s - each.began_s > limit_s]

    @property
    def busy_s(self) -> float:
        """Workers x seconds of work so far; what is left to `parallel` x time they were idle."""
        with self._lock:
            self._account()
            return self._busy_s

    def close(self) -> None:
        """Begin nothing more and end what runs; what does not end in a few seconds is left behind."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            running = list(self._running)
        for ticket in running:
            self.give_up(ticket)
        deadline_s = time.monotonic() + _CLOSING_S
        for ticket in running:
            ticket.ended.wait(max(0.0, deadline_s - time.monotonic()))

    def _fill(self) -> None:
        while len(self._running) < self._parallel and (ticket := self._next()) is not None:
            threading.Thread(target=self._work, args=(ticket,), name="rl-worker", daemon=True).start()

    def _next(self) -> Ticket | None:
        while self._waiting and not self._closed:
            ticket = heapq.heappop(self._waiting)[-1]
            if not ticket.given_up:
                self._account()
                ticket.began_s = time.monotonic()
                self._running.add(ticket)
                return ticket
        return None

    def _work(self, first: Ticket) -> None:
        ticket: Ticket | None = first
        while ticket is not None:
            try:
                ticket.act(ticket)
            except BaseException as error:
                if not ticket.given_up:
                    self.failure = error
            ticket.ended.set()
            with self._lock:
                if ticket.given_up:
                    return  # its place is another's
                self._account()
                self._running.discard(ticket)
                ticket = self._next()

    def _account(self) -> None:
        now_s = time.monotonic()
        self._busy_s += len(self._running) * (now_s - self._since_s)
        self._since_s = now_s
