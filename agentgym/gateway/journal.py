"""What happens in the sessions of a run, a JSON line each, on disk before anybody is told: RUN.calls.jsonl.

    {"kind": "session", "session", "at", …}                      opened, and for whom
    {"kind": "call", "session", "index", "call", "request"?, "response"?}   one call (call.py); raw bodies if over HTTP
    {"kind": "seal", "session", "at"}                            ended

A crash of agent, gateway or machine loses the call in flight. Writers that come together share one sync.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Journal:
    """Append-only, for any number of threads."""

    def __init__(self, path: Path) -> None:
        """The file and its folder are made by the first line."""
        self.path = path
        self._file: int | None = None
        self._writing, self._syncing = threading.Lock(), threading.Lock()
        self._n_written = self._n_synced = 0

    @staticmethod
    def beside(trajectories: Path) -> Path:
        """Where the journal of a run lies: RUN.jsonl and RUN.jsonl.gz have RUN.calls.jsonl."""
        return trajectories.with_name(trajectories.name.removesuffix(".gz").removesuffix(".jsonl") + ".calls.jsonl")

    def write(self, line: Mapping[str, Any]) -> None:
        """It is on disk when this returns. Raises OSError."""
        # plain ASCII: a lone surrogate in what a model wrote has no UTF-8
        data = json.dumps(line, allow_nan=False).encode("ascii") + b"\n"
        with self._writing:
            if self._file is None:
                self._file = _open(self.path)
            file = self._file
            end = os.fstat(file).st_size
            view = memoryview(data)
            try:
                while view:  # a full disk writes less first and fails on the second try
                    view = view[os.write(file, view) :]
            except OSError:
                os.ftruncate(file, end)
                raise
            self._n_written += 1
            mine = self._n_written
        with self._syncing:
            if self._n_synced < mine:
                n = self._n_written
                os.fdatasync(file)
                self._n_synced = n

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    end = os.fstat(file).st_size
    if end and os.pread(file, 1, end - 1) != b"\n":
        os.write(file, b"\n")  # a writer died in mid-line
    return file
