"""All sessions of a run: one for each episode, found by key, recorded in one journal, served by one server."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING

from agentgym.gateway.journal import Journal
from agentgym.gateway.session import Endpoint, Session
from agentgym.protocols import Model, Sandbox

if TYPE_CHECKING:
    from agentgym.gateway.server import Server


class Gateway:
    """`with Gateway(journal) as gateway:`. Nothing is listened on before a session is exposed. Safe for threads."""

    def __init__(self, journal: Journal | None = None) -> None:
        """`journal`: None keeps no file; what sessions hold in memory is the record then. The caller closes it."""
        self._journal = journal
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._server: Server | None = None

    def open(self, model: Model, **labels: str) -> Session:
        """A session; `labels` say in the journal whom it is for: episode, task, scaffold."""
        session = Session(secrets.token_hex(8), model, self._journal, self._door)
        if self._journal is not None:
            at = datetime.now(UTC).isoformat()
            self._journal.write({"kind": "session", "session": session.id, "at": at, "model": model.name, **labels})
        with self._lock:
            self._sessions[session.key] = session
        return session

    def find(self, key: str) -> Session | None:
        """Whose key it is; sealed sessions are still known, until they are forgotten."""
        return self._sessions.get(key)

    def forget(self, session: Session) -> None:
        """Seal a session, and know its key no more."""
        session.seal()
        with self._lock:
            self._sessions.pop(session.key, None)

    def server(self) -> Server:
        """The HTTP side, started when it is first asked for."""
        from agentgym.gateway.server import Server

        with self._lock:
            if self._server is None:
                self._server = Server(self.find)
            return self._server

    def close(self) -> None:
        """Forget all sessions and end the server. Idempotent."""
        for session in list(self._sessions.values()):
            self.forget(session)
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _door(self, session: Session, sandbox: Sandbox) -> Iterator[Endpoint]:
        server = self.server()
        with sandbox.listen() as listening:
            port = listening.getsockname()[1]
            server.accept(listening, session)
            try:
                yield Endpoint(f"http://127.0.0.1:{port}", session.key)
            finally:
                server.forget(listening)
