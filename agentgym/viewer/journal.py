"""RUN.calls.jsonl, the journal that the gateway writes beside a run: the episodes that are not in the record yet.

Of its lines only where they lie is held, and of an episode that has been recorded nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from agentgym.call import Call
from agentgym.lines import LineFile

_HEAD = re.compile(rb'\{"kind": ?"(session|call|seal)", ?"session": ?"([^"\\]+)"')
"""How each line begins: what follows in it can be megabytes."""


@dataclass(slots=True)
class Session:
    """One key that an agent was given, and what it asked for."""

    id: str
    episode: str
    task: str
    scaffold: str
    model: str
    at: str
    """When it was opened, ISO 8601."""
    sealed: bool = False
    """The agent's work is over; it is being graded, or its writer died."""
    offsets: list[int] = field(default_factory=list)
    """Of the lines that hold its calls."""
    calls: list[Call] = field(default_factory=list)
    """Those that have been read."""


class Journal:
    """The sessions of episodes in flight, in order of opening; `refresh` takes in what was appended since."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sessions: dict[str, Session] = {}
        self.n_bytes = 0
        """Read so far."""
        self._file = LineFile(path)

    def refresh(self, recorded: Container[str]) -> None:
        """Read on to the file's end, and let go of the episodes whose ids are in `recorded`."""
        if not self.path.exists() or self.path.stat().st_size < self.n_bytes:
            self.sessions, self.n_bytes = {}, 0
        for line in self._file.read(self.n_bytes):
            if not line.data.endswith(b"\n"):
                break  # it is being written
            self._take(line.data, line.offset, recorded)
            self.n_bytes = line.end
        self.sessions = {id: session for id, session in self.sessions.items() if session.episode not in recorded}

    def episode(self, id: str) -> list[Session]:
        """The sessions of one episode, their calls read."""
        found = [session for session in self.sessions.values() if session.episode == id]
        for session in found:
            for offset in session.offsets[len(session.calls) :]:
                session.calls.append(_call(self._file.read_at(offset).data))
        return found

    def _take(self, line: bytes, offset: int, recorded: Container[str]) -> None:
        head = _HEAD.match(line)
        if head is None:  # torn
            return
        kind, id = head[1], head[2].decode()
        if kind == b"session":
            session = _session(line)
            if session is not None and session.episode not in recorded:
                self.sessions[id] = session
        elif known := self.sessions.get(id):
            if kind == b"seal":
                known.sealed = True
            else:
                known.offsets.append(offset)


def _session(line: bytes) -> Session | None:
    try:
        data: dict[str, Any] = json.loads(line)
    except ValueError:
        return None

    def said(name: str) -> str:
        return str(data.get(name, ""))

    return Session(said("session"), said("episode"), said("task"), said("scaffold"), said("model"), said("at"))


class _Line(BaseModel):
    """Of a line only the call: request and response beside it are parsed, and dropped before they are objects."""

    call: Call


def _call(line: bytes) -> Call:
    try:
        return _Line.model_validate_json(line).call
    except ValidationError:  # text that is no Unicode, which that parser refuses
        return _Line.model_validate(json.loads(line)).call
