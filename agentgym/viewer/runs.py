"""The runs below a folder: each a file of trajectories, and the journal beside it while it is being written; and the
training runs, each a file of metrics.

Files are read in the background, on from where they were read before: a page shows what is known by then.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from pydantic import ValidationError

from agentgym import gateway
from agentgym.errors import UsageError
from agentgym.index import Entry, TrajectoryIndex
from agentgym.lines import LineFile
from agentgym.scoring.report import ScoredRun
from agentgym.trajectory import Trajectory
from agentgym.viewer import training
from agentgym.viewer.journal import Journal, Session
from agentgym.viewer.training import Training

WAIT_S = 0.1
"""For files that are being read, before a page shows what there is."""

QUIET_S = 3600.0
"""A run that has written nothing for so long is over, whatever it left unfinished."""

_ENDINGS = (".jsonl", ".jsonl.gz")
_JOURNAL = ".calls.jsonl"


class Run:
    """One file of trajectories."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        """Its path below the folder."""
        self.path = path
        self.problem = ""
        """Why it cannot be read on."""
        self.reading: Future[None] | None = None
        self._index = TrajectoryIndex(path)
        self._journal = Journal(gateway.Journal.beside(path))
        self._lock = threading.Lock()

    @property
    def entries(self) -> Sequence[Entry]:
        """The recorded episodes, oldest first."""
        return self._index.entries

    @property
    def is_read(self) -> bool:
        """Whether `entries` are all there are."""
        return self.reading is not None and self.reading.done()

    @property
    def is_quiet(self) -> bool:
        """Whether nobody seems to be writing."""
        return self.written_at is None or time.time() - self.written_at > QUIET_S

    @property
    def unrecorded(self) -> dict[str, Session]:
        """The first session of each episode that is in the journal alone, by the episode's id."""
        found: dict[str, Session] = {}
        for session in list(self._journal.sessions.values()):
            found.setdefault(session.episode, session)
        return found

    @property
    def n_bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def written_at(self) -> float | None:
        """Seconds since the epoch."""
        times = [path.stat().st_mtime for path in (self.path, self._journal.path) if path.exists()]
        return max(times, default=None)

    @property
    def stamp(self) -> str:
        """Changes when what is known of the run does."""
        known = (len(self.entries), self._journal.n_bytes, self.is_read, self.problem)
        return f"{known} {self.written_at} {self.is_quiet}"

    def wait(self) -> None:
        """Until `entries` are all there are: for who asks for one that is not known yet."""
        if self.reading is not None:
            wait([self.reading])

    def refresh(self) -> None:
        """Read what was written since."""
        with self._lock:
            try:
                self._index.refresh()
                self.problem = ""
            except (UsageError, OSError) as error:
                self.problem = str(error)
            self._journal.refresh({entry.id for entry in self.entries})

    def read(self, entry: Entry) -> Trajectory:
        """A recorded episode, whole. Raises UsageError, OSError."""
        return self._index.read(entry)

    def scored(self, entry: Entry) -> ScoredRun:
        """What a report needs of a recorded episode. Raises UsageError, OSError."""
        try:
            return ScoredRun.model_validate_json(self.line(entry))
        except ValidationError:  # text that is no Unicode, which this parser refuses
            return ScoredRun.model_validate(self.read(entry))

    def line(self, entry: Entry) -> bytes:
        """The same as it is in the file, JSON. Raises UsageError, OSError."""
        return LineFile(self.path).read_at(entry.offset).data

    def sessions(self, episode: str) -> list[Session]:
        """Of an episode in flight, with their calls."""
        with self._lock:
            return self._journal.episode(episode)


class Folder:
    """What `agentgym view` was asked to show."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._runs: dict[str, Run] = {}
        self._trainings: dict[str, Training] = {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="agentgym-viewer-read")

    def runs(self) -> list[Run]:
        """All that are there now, by name, each as far as it has been read."""
        self._look()
        self._read(*self._runs.values())
        return list(self._runs.values())

    def trainings(self) -> list[Training]:
        """Likewise the training runs."""
        self._look()
        self._read(*self._trainings.values())
        return list(self._trainings.values())

    def run(self, name: str) -> Run | None:
        """None where no run is called so: a name is looked up and never made into a path."""
        if name not in self._runs:
            self.runs()
        run = self._runs.get(name)
        if run is not None:
            self._read(run)
        return run

    def training(self, name: str) -> Training | None:
        """Likewise a training run."""
        if name not in self._trainings:
            self._look()
        found = self._trainings.get(name)
        if found is not None:
            self._read(found)
        return found

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _look(self) -> None:
        """What there is now; what was known already is kept."""
        paths = dict(sorted(self._find()))
        metrics = {name: path for name, path in paths.items() if path.name == training.FILE}
        self._runs = {
            name: self._runs.get(name) or Run(name, path) for name, path in paths.items() if name not in metrics
        }
        self._trainings = {name: self._trainings.get(name) or Training(name, path) for name, path in metrics.items()}

    def _read(self, *runs: Run | Training) -> None:
        for run in runs:
            if run.reading is None or run.reading.done():
                run.reading = self._threads.submit(run.refresh)
        wait([run.reading for run in runs if run.reading], timeout=WAIT_S)

    def _find(self) -> Iterator[tuple[str, Path]]:
        for parent, folders, files in os.walk(self.path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for file in files:
                path = Path(parent, file)
                if file.removesuffix(".gz").endswith(_JOURNAL):
                    path = run_path(path)
                if file.endswith(_ENDINGS) and _is_text(name := path.relative_to(self.path).as_posix()):
                    yield name, path


def run_path(journal: Path) -> Path:
    """Whose journal it is: the run's first episode may not be over yet."""
    plain = journal.with_name(journal.name.removesuffix(".gz").removesuffix(_JOURNAL) + ".jsonl")
    packed = plain.with_name(plain.name + ".gz")
    return packed if packed.exists() and not plain.exists() else plain


def _is_text(name: str) -> bool:
    """File names are bytes; one that is no text has no address."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
