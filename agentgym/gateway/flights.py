"""The calls in flight and the last few answered ones, so that a client's retry never becomes a second call.

A request is a retry if its body is one that was sent before, and the client says so (`x-stainless-retry-count`) or its
connection broke before it had the answer in full. It joins the call in flight, or gets the answer that is there.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import Executor
from hashlib import blake2b

from agentgym.gateway.dialects import Dialect
from agentgym.gateway.flight import Flight
from agentgym.gateway.session import Session

KEPT_S = 60.0
"""An answered call is remembered this long; clients that try again do so within seconds."""
KEPT_CALLS = 4
"""Of a session, at most."""
GRACE_S = 3.0
"""A call nobody waits for any more goes on this long: the retry may be on its way."""


class Flights:
    """Made and used in the loop's thread."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._known: dict[str, OrderedDict[bytes, Flight]] = {}
        """By session and digest of the request, the latest last."""
        self._sweep()

    def join(self, session: Session, dialect: Dialect, raw: bytes, *, retried: bool) -> Flight:
        """The call that answers this request: a new one, unless it is a retry. Ends with `leave`."""
        known = self._known.setdefault(session.key, OrderedDict())
        digest = blake2b(dialect.NAME.encode() + raw, digest_size=16).digest()
        flight = known.get(digest)
        if flight is None or not flight.can_be_joined or not (retried or flight.broken):
            flight = known[digest] = Flight(session, dialect, raw)
            self._threads.submit(flight.run)
        known.move_to_end(digest)
        while len(known) > KEPT_CALLS and (old := next((d for d, f in known.items() if f.done), None)):
            del known[old]
        flight.n_waiting += 1
        return flight

    def leave(self, flight: Flight, *, answered: bool) -> None:
        """One who waited has the answer in full, or went away without."""
        flight.broken = not answered
        flight.n_waiting -= 1
        flight.left_at = self._loop.time()
        if flight.n_waiting:
            return
        if flight.done:
            flight.deltas.clear()  # whoever comes now gets the reply whole
        else:
            self._loop.call_later(GRACE_S, self._cancel_unless_joined, flight)

    def cancel_all(self) -> None:
        for known in self._known.values():
            for flight in known.values():
                flight.cancel()

    def _cancel_unless_joined(self, flight: Flight) -> None:
        if not flight.n_waiting:
            flight.cancel()

    def _sweep(self) -> None:
        """Forget what was answered long ago. One timer for all: calls are many."""
        old = self._loop.time() - KEPT_S
        for key, known in list(self._known.items()):
            for digest, flight in list(known.items()):
                if flight.done and not flight.n_waiting and flight.left_at < old:
                    del known[digest]
            if not known:
                del self._known[key]
        self._loop.call_later(KEPT_S, self._sweep)
