"""One request's way to the model and back, watched by everyone who waits for its answer.

It runs on a thread (`run`); those who wait live in an event loop (`changed`). It knows no sockets: what is sent to whom
is the handler's business, whether a request is a retry that of `Flights`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import closing, suppress
from typing import Any

from agentgym.errors import ModelError
from agentgym.gateway.dialects import Answer, Dialect, Fault, read_json
from agentgym.gateway.dialects.fault import Kind
from agentgym.gateway.session import BudgetExceeded, Session, SessionSealed, Wire
from agentgym.protocols import Delta, Reply

logger = logging.getLogger(__name__)


class Flight:
    """Made and watched in the loop's thread."""

    def __init__(self, session: Session, dialect: Dialect, raw: bytes) -> None:
        self.session = session
        self.dialect = dialect
        self.answer: Answer | None = None
        """How the reply is put; None until the request has been read."""
        self.stream = False
        """Whether the client wants it as it comes; known once there is an answer."""
        self.deltas: list[Delta] = []
        self.reply: Reply | None = None
        self.body: bytes = b""
        """The whole answer, not streamed; there once the reply is."""
        self.fault: Fault | None = None
        self.n_waiting = 0
        self.broken = False
        """Whether a client went away before it had its answer in full: the same request again is a retry then."""
        self.left_at = 0.0
        """When it was last waited for, by the loop's clock."""
        self._raw = raw
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._told = False
        self.cancelled = False
        self._wire: Wire | None = None

    @property
    def done(self) -> bool:
        return self.reply is not None or self.fault is not None

    @property
    def can_be_joined(self) -> bool:
        return self.fault is None and not self.cancelled

    def changed(self) -> asyncio.Event:
        """Is set when there is more than now. Take it before looking, wait for it after."""
        return self._news

    def cancel(self) -> None:
        """Nobody waits any more: end the call, at the latest with the model's next piece."""
        self.cancelled = True
        if self._wire is not None:
            self.session.drop(self._wire)

    def run(self) -> None:
        """Ask the model. Everything that goes wrong is a Fault, in the field of that name."""
        try:
            self._run()
        except Fault as fault:
            self.fault = fault
        except Exception as error:
            self.fault = as_fault(error)
        self._raw = b""
        self._tell()

    def _run(self) -> None:
        request = read_json(self._raw)
        asked = self.dialect.parse(request, self.session.name)
        self.answer, self.stream = asked.answer, asked.stream
        if self.stream:  # whoever waits for the whole need not hear of its beginning
            self._tell()
        self._wire = Wire(self.dialect.NAME, request, asked.stripped, self._respond)
        pieces = self.session.stream(asked.messages, asked.tools, asked.sampling, wire=self._wire)
        with closing(pieces):  # type: ignore[type-var]  # a generator, whatever else it is
            for piece in pieces:
                if isinstance(piece, Reply):
                    self.reply = piece
                    return
                self.deltas.append(piece)
                self._tell()
                if self.cancelled:
                    raise Fault("no_reply", "the caller went away")
        raise Fault("no_reply", f"{self.session.name} ended without a reply")

    def _respond(self, reply: Reply) -> dict[str, Any]:
        assert self.answer is not None
        body = self.answer.body(reply)
        self.body = json.dumps(body).encode("ascii")
        return body

    def _tell(self) -> None:
        """Wake those who wait, once for all that came since they last looked."""
        if not self._told:
            self._told = True
            with suppress(RuntimeError):  # the loop has ended, and with it everybody who waited
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._told = False
        news, self._news = self._news, asyncio.Event()
        news.set()


def as_fault(error: Exception) -> Fault:
    """What a session raised."""
    if isinstance(error, SessionSealed):
        return Fault("sealed", str(error))
    if isinstance(error, BudgetExceeded):
        return Fault("over_budget", str(error))
    if isinstance(error, ModelError):
        if error.context_overflow:
            return Fault("context_overflow", str(error))
        kind: Kind = "no_reply" if error.retry_after_s is None else "updating"
        return Fault(kind, str(error), retry_after_s=error.retry_after_s)
    logger.error("a call of a model broke", exc_info=error)
    return Fault("no_reply", f"the model broke: {type(error).__name__}: {error}")
