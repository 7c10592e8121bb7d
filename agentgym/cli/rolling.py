"""What `agentgym run` does: build the images, roll out, store each trajectory as it ends, stop cleanly on Ctrl-C."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from agentgym import entry
from agentgym.backends import build_image, make_backend
from agentgym.cli.console import busy, note, warn
from agentgym.cli.progress import Progress
from agentgym.cli.select import select
from agentgym.cli.summary import Summary
from agentgym.env import EpisodeConfig
from agentgym.errors import ImageError, SandboxError, UsageError
from agentgym.gateway import Gateway, Journal
from agentgym.protocols import Backend
from agentgym.rollout import Job, rollouts
from agentgym.scaffold import MountingScaffold, Scaffold
from agentgym.store import TrajectoryStore
from agentgym.task import Task
from agentgym.trajectory import Trajectory

GRACE_S = 10.0
"""After Ctrl-C: how long the episodes that are running may take to end."""


@dataclass(frozen=True, slots=True)
class Run:
    """The options of one `agentgym run`."""

    patterns: Sequence[str]
    scaffolds: Sequence[str]
    model: str | None
    options: Mapping[str, Any]
    """The model's."""
    sandbox: str
    parallel: int
    attempts: int
    out: Path | None
    max_turns: int
    timeout_s: float | None
    online: bool
    seed: int | None
    finish: Callable[[Trajectory], Trajectory] | None = None
    """What is done to each trajectory before it is stored."""

    def execute(self) -> Summary:
        """Raises UsageError and SandboxError before the first episode only."""
        tasks = select(self.patterns)
        if not tasks:
            raise UsageError(f"found no task in {', '.join(self.patterns)}, wanted one or more")
        jobs = list(self._jobs(tasks))
        out = self.out or Path("runs") / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"
        if out.is_dir():
            raise UsageError(f"--out {out}: found a folder, wanted a file")
        store = TrajectoryStore(out)
        backend = make_backend(self.sandbox)
        done = store.done(job.key for job in jobs)
        due = [job for job in jobs if job.key not in done]
        if done:
            note(f"{out}: {len(done)} of {len(jobs)} settled before, {len(due)} to go")
        unbuilt = _build([job.task for job in due], backend)
        due = [job for job in due if job.task.name not in unbuilt]
        _install([job.scaffold for job in due], backend)
        config = EpisodeConfig(max_turns=self.max_turns, timeout_s=self.timeout_s, online=self.online)
        interrupted = bool(due) and _roll_out(due, backend, store, self.parallel, config, self.finish)
        keys = {job.key for job in jobs}
        newest = {trajectory.key: trajectory for trajectory in store if trajectory.key in keys}
        return Summary(out, len(jobs), tuple(newest.values()), unbuilt, interrupted, one_task=len(tasks) == 1)

    def _jobs(self, tasks: Sequence[Task]) -> Iterator[Job]:
        """Attempts outermost: a run that is cut short has seen every task."""
        scaffolds = [entry.make_scaffold(name.strip()) for name in dict.fromkeys(self.scaffolds)]
        asking = [scaffold.name for scaffold in scaffolds if scaffold.needs_model]
        if asking and self.model is None:
            raise UsageError(f"scaffold {asking[0]} asks a model and none was named, wanted --model KIND:REST; "
                             f"kinds: {', '.join(entry.names(entry.MODELS))}")  # fmt: skip
        model = entry.make_model(self.model, self.options) if asking and self.model else None
        for attempt in range(self.attempts):
            seed = None if self.seed is None else self.seed + attempt
            for task in tasks:
                for scaffold in scaffolds:
                    yield Job(task, scaffold, model if scaffold.needs_model else None, attempt, seed)


def _build(tasks: Sequence[Task], backend: Backend) -> dict[str, str]:
    """Build every image before the first episode; the tasks whose image cannot be built, and why.

    A backend that does not work here is not the tasks' fault: that is raised.
    """
    unbuilt = {}
    distinct = list({task.name: task for task in tasks}.values())
    for n, task in enumerate(distinct, start=1):
        with busy(f"image {n}/{len(distinct)}: {task.name}"):
            try:
                build_image(task, backend)
            except ImageError as error:
                if len(distinct) == 1:
                    raise
                unbuilt[task.name] = str(error)
        if task.name in unbuilt:
            warn(f"{task.name}: its image cannot be built, left out: {unbuilt[task.name].splitlines()[0]}")
    return unbuilt


def _install(scaffolds: Sequence[Scaffold], backend: Backend) -> None:
    """Install the programs of black-box agents before the first episode. Raises UsageError, SandboxError."""
    for scaffold in {scaffold.name: scaffold for scaffold in scaffolds}.values():
        if isinstance(scaffold, MountingScaffold):
            with busy(f"agent {scaffold.name}: preparing its program"):
                scaffold.mounts(backend)


def _roll_out(
    jobs: Sequence[Job],
    backend: Backend,
    store: TrajectoryStore,
    parallel: int,
    config: EpisodeConfig,
    finish: Callable[[Trajectory], Trajectory] | None,
) -> bool:
    """Run the jobs and store what they leave; whether Ctrl-C cut it short."""
    stop = threading.Event()
    with (
        closing(Journal(Journal.beside(store.path))) as journal,
        Gateway(journal) as gateway,
        Progress(len(jobs)) as progress,
        _ending_on_interrupt(stop, progress),
    ):
        for trajectory in rollouts(
            jobs,
            backend,
            parallel=parallel,
            config=config,
            gateway=gateway,
            watch=progress.began,
            finish=finish,
            stop=stop,
        ):
            if stop.is_set() and not trajectory.settled:
                continue  # cut off by us, not by its sandbox: as if it had never been begun
            store.append(trajectory)
            progress.ended(trajectory)
    return stop.is_set()


@contextmanager
def _ending_on_interrupt(stop: threading.Event, progress: Progress) -> Iterator[None]:
    """Ctrl-C (or SIGTERM) takes the running episodes their sandboxes, by which they end; a second one does not wait."""
    ended = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            _leave_now()
        stop.set()
        logging.disable(logging.CRITICAL)  # what breaks from here on is our doing
        threading.Thread(target=end_episodes, daemon=True).start()

    def end_episodes() -> None:
        progress.say("stopping: finished episodes are kept, running ones are not (Ctrl-C again: at once)")
        deadline = time.monotonic() + GRACE_S
        while not ended.wait(0.1):
            for episode in progress.running():
                with contextlib.suppress(SandboxError):  # it has none yet, or none any more
                    if episode.sandbox.alive():  # one that is being started must not be pulled from under its start
                        episode.sandbox.stop()
            if time.monotonic() > deadline:  # a model that does not answer, say: a thread cannot be ended
                _leave_now()

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        ended.set()
        logging.disable(logging.NOTSET)
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_now() -> None:
    """End the process without waiting for its threads, but not without what removes sandboxes at exit."""
    atexit._run_exitfuncs()
    os._exit(130)
