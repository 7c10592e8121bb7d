"""Threads in order, so many at once, and what hangs is replaced."""

from __future__ import annotations

import threading
import time

import pytest

from rl.rollout.workers import Ticket, Workers


def wait_for(condition: threading.Event) -> None:
    assert condition.wait(30)


def test_lower_orders_come_first() -> None:
    workers, hold, seen = Workers(1), threading.Event(), list[int]()
    first = workers.submit(lambda ticket: wait_for(hold), order=9)
    tickets = [workers.submit(lambda ticket, n=n: seen.append(n), order=n) for n in (3, 1, 2, 1)]
    tickets[2].given_up = True
    hold.set()
    for ticket in (first, tickets[0]):
        wait_for(ticket.ended)
    assert seen == [1, 1, 3]
    workers.close()


def test_what_hangs_gives_its_place_away() -> None:
    workers, hang, done = Workers(1), threading.Event(), threading.Event()
    hung = workers.submit(lambda ticket: wait_for(hang), order=0)
    workers.submit(lambda ticket: done.set(), order=1)
    assert not done.wait(0.05)
    assert workers.overdue(60.0) == []
    assert workers.overdue(0.01) == [hung]
    workers.give_up(hung)
    wait_for(done)
    hang.set()
    wait_for(hung.ended)
    workers.close()
    assert workers.failure is None


def test_never_more_than_allowed() -> None:
    workers, lock, running, most = Workers(3), threading.Lock(), 0, 0

    def act(ticket: Ticket) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1

    began_s = time.monotonic()
    tickets = [workers.submit(act, order=n) for n in range(12)]
    for ticket in tickets:
        wait_for(ticket.ended)
    assert most == 3
    assert 12 * 0.005 <= workers.busy_s <= 3 * (time.monotonic() - began_s)
    workers.close()


def test_a_fault_is_kept_and_work_goes_on() -> None:
    workers, done = Workers(1), threading.Event()

    def faulty(ticket: Ticket) -> None:
        raise OSError("disk full")

    workers.submit(faulty, order=0)
    workers.submit(lambda ticket: done.set(), order=1)
    wait_for(done)
    with pytest.raises(OSError, match="disk full"):
        raise workers.failure or AssertionError
    workers.close()


def test_closed() -> None:
    workers, hang, begun = Workers(1), threading.Event(), threading.Event()

    def act(ticket: Ticket) -> None:
        begun.set()
        wait_for(hang)

    workers.submit(act, order=0)
    late = workers.submit(lambda ticket: None, order=1)
    wait_for(begun)
    threading.Timer(0.05, hang.set).start()
    workers.close()
    assert late.began_s is None
