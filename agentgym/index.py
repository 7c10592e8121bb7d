"""Where each trajectory of a store lies, and what a table shows of it: a large file is read once, then at will.

Of a line only what a summary needs becomes Python objects, and what is held is some hundred bytes an episode. Which of
several trajectories of the same key counts is for the reader to say.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from agentgym.errors import UsageError
from agentgym.lines import Line, LineFile
from agentgym.nearest import nearest
from agentgym.protocols import StopReason, Usage
from agentgym.store import Key, TrajectoryStore, decode
from agentgym.trajectory import READABLE_VERSIONS, Failure, TaskRef, Timing, Trajectory
from agentgym.verdict import Compliance

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One trajectory in the file."""

    offset: int
    """For `TrajectoryStore.read_at`."""
    n_bytes: int
    """In the file, compressed where the file is."""
    id: str
    key: Key
    task: str
    suite: str
    split: str
    started_at: AwareDatetime
    duration_s: float
    n_turns: int
    n_calls: int
    """Requests to the model, those of sub-agents included; 0 where the gateway was not asked."""
    usage: Usage
    """Of all calls; of the turns where there are none."""
    stop_reason: StopReason | None
    reward: float | None
    owner: str | None
    """Whose the error was; None without one."""
    isr: bool | None
    csr: float | None
    """As in `verdict.Compliance`; None as well where nobody scored it."""
    is_scored: bool

    @property
    def checksum(self) -> str:
        return self.key[0]

    @property
    def scaffold(self) -> str:
        return self.key[1]

    @property
    def model(self) -> str:
        return self.key[2]

    @property
    def attempt(self) -> int:
        return self.key[3]


class TrajectoryIndex:
    """The entries of one store, oldest first; `refresh` takes in what was appended since."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[Entry] = []
        self._store = TrajectoryStore(path)
        self._file = LineFile(path)
        self._end = self._n_lines = self._inode = 0

    def refresh(self) -> list[Entry]:
        """Read on to the file's end; what is new. A file that was replaced or cut is read anew, as a whole.

        Raises UsageError at what is no trajectory, with everything before it taken in.
        """
        self._restart_if_replaced()
        n_known = len(self.entries)
        for line in self._file.read(self._end):
            entry = _entry(line, f"{self.path}:{self._n_lines + 1}")
            self._end, self._n_lines = line.end, self._n_lines + 1
            if entry is not None:
                self.entries.append(entry)
        return self.entries[n_known:]

    def find(self, id: str) -> Entry:
        """The newest entry whose id is `id`, or alone begins so. Raises UsageError."""
        by_id = {entry.id: entry for entry in self.entries}
        if id in by_id:
            return by_id[id]
        found = [known for known in by_id if known.startswith(id)]
        if len(found) == 1:
            return by_id[found[0]]
        if found:
            some = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
            raise UsageError(f"{self.path}: {len(found)} trajectories have ids that begin with {id}: {some}")
        hint = nearest(id, by_id, what="id")
        raise UsageError(f"{self.path}: found no trajectory {id}{hint}; `agentgym traj list {self.path}` shows them")

    def read(self, entry: Entry) -> Trajectory:
        """The whole trajectory. Raises UsageError, OSError."""
        return self._store.read_at(entry.offset)

    def _restart_if_replaced(self) -> None:
        if not self.path.exists():
            inode, size = 0, 0
        else:
            status = self.path.stat()
            inode, size = status.st_ino, status.st_size
        if inode != self._inode or size < self._end:
            self.entries, self._end, self._n_lines, self._inode = [], 0, 0, inode


def open_index(path: Path) -> TrajectoryIndex:
    """All of a file that must be there. Raises UsageError."""
    if not path.is_file():
        raise UsageError(f"{path}: no such file; wanted a .jsonl of trajectories, as `agentgym run --out` writes")
    index = TrajectoryIndex(path)
    index.refresh()
    return index


class _Turn(BaseModel):
    usage: Usage = Usage()


class _Outcome(BaseModel):
    reward: float | None = None
    compliance: Compliance | None = None


class _Summary(BaseModel):
    """As much of a trajectory's JSON as an entry needs; the rest is parsed, and dropped before it is an object."""

    format_version: int
    id: str
    task: TaskRef
    attempt: int = 0
    scaffold: str
    model: str
    started_at: AwareDatetime
    turns: list[_Turn] = Field(default_factory=list)
    calls: list[_Turn] = Field(default_factory=list)
    stop_reason: StopReason | None = None
    outcome: _Outcome | None = None
    error: Failure | None = None
    timing: Timing = Timing()


def _entry(line: Line, where: str) -> Entry | None:
    try:
        summary = _Summary.model_validate_json(line.data)
    except ValidationError:
        summary = None
    if summary is None or summary.format_version not in READABLE_VERSIONS:
        # torn, foreign, or with text that is no Unicode, which this parser refuses: the store tells which
        trajectory = decode(line.data, where)
        if trajectory is None:
            return None
        summary = _Summary.model_validate(trajectory.model_dump())
    task, timing = summary.task, summary.timing
    asked = summary.calls or summary.turns
    compliance = summary.outcome.compliance if summary.outcome else None
    intern = sys.intern  # thousands of episodes share them
    return Entry(
        offset=line.offset,
        n_bytes=line.end - line.offset,
        id=summary.id,
        key=(intern(task.checksum), intern(summary.scaffold), intern(summary.model), summary.attempt),
        task=intern(task.name),
        suite=intern(task.suite),
        split=intern(task.split),
        started_at=summary.started_at,
        duration_s=sum(timing.model_dump().values()),
        n_turns=len(summary.turns),
        n_calls=len(summary.calls),
        usage=Usage(sum(a.usage.prompt_tokens for a in asked), sum(a.usage.completion_tokens for a in asked)),
        stop_reason=summary.stop_reason,
        reward=summary.outcome.reward if summary.outcome else None,
        owner=summary.error.owner if summary.error else None,
        isr=compliance.isr if compliance else None,
        csr=compliance.csr if compliance else None,
        is_scored=compliance is not None,
    )
