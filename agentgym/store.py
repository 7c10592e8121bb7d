"""A file of trajectories, one JSON line each, that survives whatever happens to its writers.

Appending is one write at the end of the file, under a lock, followed by fsync: several threads and processes may share
a store, and what `append` returned for is on disk. A writer killed in mid-write leaves a torn line: it stays where it
is, readers step over it with a warning, and the next append starts on a fresh line. Nothing is ever rewritten.
The store does not know what trajectories mean, but for the key that tells one piece of work from another.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from agentgym.errors import UsageError
from agentgym.trajectory import FORMAT_VERSION, Trajectory

logger = logging.getLogger(__name__)

Key = tuple[str, str, str, int]
"""Task checksum, scaffold, model, attempt."""


class TrajectoryStore:
    """Append-only JSONL of trajectories. The file and its folder are made by the first append."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, trajectory: Trajectory) -> None:
        """Put the trajectory on disk. Raises OSError, in which case the file is as it was."""
        line = _encode(trajectory)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            with _locked(descriptor, fcntl.LOCK_EX):
                end = os.fstat(descriptor).st_size
                torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
                data = b"\n" + line if torn else line
                try:
                    written = os.write(descriptor, data)
                    while written < len(data):  # a full disk writes less first and fails on the second try
                        written += os.write(descriptor, data[written:])
                except OSError:
                    os.ftruncate(descriptor, end)
                    raise
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if end == 0:
            _sync_folder(self.path.parent)

    def __iter__(self) -> Iterator[Trajectory]:
        """The trajectories that are in the file now, oldest first, read one at a time; none when there is no file.

        Raises UsageError at a line of another format version, and at whole JSON that is no trajectory.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            # no writer is in mid-write while the lock is held, so a torn line before this end is torn for good
            with _locked(file.fileno(), fcntl.LOCK_SH):
                end = os.fstat(file.fileno()).st_size
            number = 0
            while file.tell() < end:
                number += 1
                trajectory = self._decode(file.readline(), number)
                if trajectory is not None:
                    yield trajectory

    def done(self, keys: Iterable[Key]) -> set[Key]:
        """Those of `keys` that need no rollout any more.

        Done is what ended by the agent's own doing and, if it was graded, has a reward; what infrastructure broke is
        rolled out again on resume.
        """
        wanted = set(keys)
        return {trajectory.key for trajectory in self if trajectory.settled and trajectory.key in wanted}

    def _decode(self, line: bytes, number: int) -> Trajectory | None:
        try:
            data = json.loads(line)
        except ValueError:  # JSON's and UTF-8's errors are both
            if line.strip():
                logger.warning("%s:%d: skipped a torn line, %d bytes: a writer died here", self.path, number, len(line))
            return None
        where = f"{self.path}:{number}"
        version = data.get("format_version") if isinstance(data, dict) else None
        if version != FORMAT_VERSION:
            raise UsageError(
                f"{where}: found format_version {version!r}, wanted {FORMAT_VERSION}; "
                + ("this is no trajectory file" if version is None else "read it with the agentgym that wrote it")
            )
        try:
            return Trajectory.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise UsageError(f"{where}: not a trajectory: {place}: {first['msg']}") from error


def _encode(trajectory: Trajectory) -> bytes:
    """One line of plain ASCII: text that is no valid Unicode (models write such) would not survive as UTF-8."""
    return json.dumps(trajectory.model_dump(mode="json"), allow_nan=False).encode("ascii") + b"\n"


@contextmanager
def _locked(descriptor: int, mode: int) -> Iterator[None]:
    fcntl.flock(descriptor, mode)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
