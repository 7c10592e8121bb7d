"""What happens in the sessions of a run, a JSON line each, on disk before anybody is told: RUN.calls.jsonl.

    {"kind": "session", "session", "at", …}                      opened, and for whom
    {"kind": "call", "session", "index", "call", "request"?, "response"?}   one call (call.py); raw bodies if over HTTP
    {"kind": "seal", "session", "at"}                            ended

A crash of agent, gateway or machine loses the call in flight. Writers that come together share one sync.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentgym.call import to_json


class Journal:
    """Append-only, for any number of threads."""

    def __init__(self, path: Path) -> None:
        """The file and its folder are made by the first line."""
        self.path = path
        self._file: int | None = None
        self._joining, self._writing = threading.Lock(), threading.Lock()
        self._batch = _Batch()
        """Whose lines are next to be written."""

    @staticmethod
    def beside(trajectories: Path) -> Path:
        """Where the journal of a run lies: RUN.jsonl and RUN.jsonl.gz have RUN.calls.jsonl."""
        return trajectories.with_name(trajectories.name.removesuffix(".gz").removesuffix(".jsonl") + ".calls.jsonl")

    def write(self, line: Mapping[str, Any]) -> None:
        """It is on disk when this returns. Raises OSError."""
        data = to_json(line) + b"\n"
        with self._joining:
            batch = self._batch
            batch.lines.append(data)
        with self._writing:
            if not batch.ended:  # the first of a batch to come here writes it for all
                with self._joining:
                    self._batch = _Batch()
                self._write(batch)
        if batch.error is not None:
            raise batch.error

    def _write(self, batch: _Batch) -> None:
        try:
            if self._file is None:
                self._file = _open(self.path)
            end = os.fstat(self._file).st_size
            view = memoryview(b"".join(batch.lines))
            try:
                while view:  # a full disk writes less first and fails on the second try
                    view = view[os.write(self._file, view) :]
            except OSError:
                os.ftruncate(self._file, end)
                raise
            os.fdatasync(self._file)
        except OSError as error:
            batch.error = error
        batch.ended = True

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


class _Batch:
    """Lines that are on disk together, or not at all."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.ended = False
        self.error: OSError | None = None


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    end = os.fstat(file).st_size
    if end and os.pread(file, 1, end - 1) != b"\n":
        os.write(file, b"\n")  # a writer died in mid-line
    return file
