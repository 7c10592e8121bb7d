"""A file of trajectories, one JSON line each: .jsonl, or .jsonl.gz for a compressed one.

`lines.py` keeps the lines safe; readers here step over torn ones with a warning. The store does not know what
trajectories mean, but for the key that tells one piece of work from another.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from agentgym.call import to_json
from agentgym.errors import UsageError
from agentgym.lines import LineFile
from agentgym.trajectory import FORMAT_VERSION, READABLE_VERSIONS, Trajectory

logger = logging.getLogger(__name__)

Key = tuple[str, str, str, int]
"""Task checksum, scaffold, model, attempt."""


class TrajectoryStore:
    """Append-only lines of trajectories. The file and its folder are made by the first append."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = LineFile(path)

    def append(self, trajectory: Trajectory) -> None:
        """Put the trajectory on disk. Raises OSError, in which case the file is as it was."""
        self._file.append(encode(trajectory))

    def __iter__(self) -> Iterator[Trajectory]:
        """The trajectories that are in the file now, oldest first, read one at a time; none when there is no file.

        Raises UsageError at a line of another format version, and at whole JSON that is no trajectory.
        """
        for number, line in enumerate(self._file.read(), start=1):
            trajectory = decode(line.data, f"{self.path}:{number}")
            if trajectory is not None:
                yield trajectory

    def read_at(self, offset: int) -> Trajectory:
        """The trajectory whose line begins at `offset`, as `index.TrajectoryIndex` tells. Raises UsageError."""
        trajectory = decode(self._file.read_at(offset).data, f"{self.path}: byte {offset}")
        if trajectory is None:
            raise UsageError(f"{self.path}: no trajectory begins at byte {offset}")
        return trajectory

    def done(self, keys: Iterable[Key]) -> set[Key]:
        """Those of `keys` that need no rollout any more.

        Done is what ended by the agent's own doing and, if it was graded, has a reward; what infrastructure broke is
        rolled out again on resume.
        """
        wanted = set(keys)
        return {trajectory.key for trajectory in self if trajectory.settled and trajectory.key in wanted}


def encode(trajectory: Trajectory) -> bytes:
    """One line of plain ASCII: text that is no valid Unicode (models write such) would not survive as UTF-8."""
    return to_json(trajectory.model_dump()) + b"\n"


def decode(line: bytes, where: str) -> Trajectory | None:
    """What `encode` made; None, and a warning, where the line is torn. Raises UsageError that begins with `where`."""
    try:
        data = json.loads(line)
    except ValueError:  # JSON's and UTF-8's errors are both
        if line.strip():
            logger.warning("%s: skipped a torn line, %d bytes: a writer died here", where, len(line))
        return None
    version = data.get("format_version") if isinstance(data, dict) else None
    if version not in READABLE_VERSIONS:
        raise UsageError(
            f"{where}: found format_version {version!r}, wanted {FORMAT_VERSION}; "
            + ("this is no trajectory file" if version is None else "read it with the agentgym that wrote it")
        )
    try:
        return Trajectory.model_validate({**data, "format_version": FORMAT_VERSION})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"{where}: not a trajectory: {place}: {first['msg']}") from error
