"""metrics.jsonl of a training run, as the trainer appends to it: one series a metric, and what was noted beside them.

The file's format is all that is known of the trainer: lines of `{"kind", "step", "at", "metrics", "text"}`. A line of
kind `start` says from which train step the run goes on: what stands before it of later steps was done in vain.
"""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from agentgym.lines import LineFile

FILE = "metrics.jsonl"
EPISODES = "episodes.jsonl"
"""Sampled episodes, beside it."""
CONFIG = "config.toml"
"""What was trained, beside it."""
QUIET_S = 3600.0
"""A run that has written nothing for so long is over, whether it said so or not."""
CONFIG_BYTES = 64_000
"""Shown of a config."""


class Line(BaseModel):
    """One record of the trainer. Keys that are not here are not shown."""

    kind: str
    step: int = Field(ge=0)
    at: AwareDatetime
    metrics: dict[str, float | None] = Field(default_factory=dict)
    text: str = ""


@dataclass(slots=True)
class Series:
    """A metric over train steps, which rise."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    """NaN where the trainer had no number."""

    @property
    def last(self) -> float | None:
        return next((value for value in reversed(self.values) if not math.isnan(value)), None)

    @property
    def first(self) -> float | None:
        return next((value for value in self.values if not math.isnan(value)), None)

    def cut(self, step: int) -> None:
        """Forget what is later than `step`."""
        n = bisect_right(self.steps, step)
        del self.steps[n:], self.values[n:]


class Training:
    """One training run; `refresh` takes in what was appended since."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        """Its path below the folder."""
        self.path = path
        self.problem = ""
        """Why it cannot be read on."""
        self.reading: Future[None] | None = None
        self._file = LineFile(path)
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._series: dict[str, Series] = {}
        self._notes: list[Line] = []
        self._last: Line | None = None
        self._began_at: AwareDatetime | None = None
        self._end = self._n_lines = self._inode = 0

    @property
    def title(self) -> str:
        """The run's folder."""
        return self.name.removesuffix(FILE).rstrip("/") or self.path.parent.name

    @property
    def episodes(self) -> str:
        """The name of the run that the sampled episodes are, if there are any."""
        return self.name.removesuffix(FILE) + EPISODES

    @property
    def series(self) -> Mapping[str, Series]:
        """By the metric's name, in the order of their appearance."""
        with self._lock:
            return {name: Series(list(one.steps), list(one.values)) for name, one in self._series.items()}

    @property
    def notes(self) -> Sequence[Line]:
        """Records with a text, oldest first."""
        with self._lock:
            return list(self._notes)

    @property
    def step(self) -> int:
        """Train steps taken."""
        return self._last.step if self._last else 0

    @property
    def began_at(self) -> AwareDatetime | None:
        return self._began_at

    @property
    def spent_s(self) -> float | None:
        """From the first record to the newest, pauses included."""
        return (self._last.at - self._began_at).total_seconds() if self._last and self._began_at else None

    @property
    def is_read(self) -> bool:
        return self.reading is not None and self.reading.done()

    @property
    def is_over(self) -> bool:
        """Whether it said so, or seems to have died."""
        ended = self._last is not None and self._last.kind == "end"
        return ended or self.written_at is None or time.time() - self.written_at > QUIET_S

    @property
    def written_at(self) -> float | None:
        """Seconds since the epoch."""
        return self.path.stat().st_mtime if self.path.exists() else None

    @property
    def config(self) -> str:
        """As it was written; empty where there is none."""
        path = self.path.with_name(CONFIG)
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(CONFIG_BYTES).decode(errors="replace")

    @property
    def stamp(self) -> str:
        """Changes when what is known of the run does."""
        return f"{self._inode} {self._n_lines} {self.is_read} {self.is_over} {self.problem}"

    def refresh(self) -> None:
        """Read what was written since; a file that was replaced or cut is read anew."""
        with self._lock:
            try:
                self._read()
                self.problem = ""
            except (ValidationError, OSError) as error:
                no_record = f"line {self._n_lines + 1} is no record of a training run"
                self.problem = no_record if isinstance(error, ValidationError) else str(error)

    def _read(self) -> None:
        status = self.path.stat()
        if status.st_ino != self._inode or status.st_size < self._end:
            self._forget()
            self._inode = status.st_ino
        for line in self._file.read(self._end):
            if line.data.endswith(b"}\n"):  # a torn one says nothing
                self._take(Line.model_validate_json(line.data))
            elif not line.data.endswith(b"\n"):
                break  # it is being written
            self._end, self._n_lines = line.end, self._n_lines + 1

    def _take(self, line: Line) -> None:
        if line.kind == "start":
            for series in self._series.values():
                series.cut(line.step)
            self._notes = [note for note in self._notes if note.step <= line.step]
        for name, value in line.metrics.items():
            series = self._series.setdefault(name, Series())
            series.cut(line.step - 1)  # the newest of a step counts
            series.steps.append(line.step)
            series.values.append(math.nan if value is None else value)
        if line.text:
            self._notes.append(line)
        self._began_at = self._began_at or line.at
        self._last = line
