"""The act of running one agent through one episode, and many of them at once. Leaves trajectories."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from agentgym.env import Episode, EpisodeConfig, EpisodeOver
from agentgym.errors import AgentError, AgentGymError, SandboxError
from agentgym.gateway import Gateway
from agentgym.protocols import Backend, Model, StopReason
from agentgym.scaffold import MountingScaffold, Scaffold
from agentgym.task import Task
from agentgym.tools import ToolPool
from agentgym.trajectory import Failure, Trajectory

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One rollout to do."""

    task: Task
    scaffold: Scaffold
    model: Model | None
    """None for scaffolds that ask none."""
    attempt: int = 0
    seed: int | None = None

    @property
    def model_name(self) -> str:
        return self.model.name if self.model else "none"

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Trajectory.key of what it will leave."""
        return (self.task.checksum, self.scaffold.name, self.model_name, self.attempt)


def rollout(
    job: Job,
    backend: Backend,
    *,
    config: EpisodeConfig | None = None,
    pool: ToolPool | None = None,
    gateway: Gateway | None = None,
    watch: Callable[[Episode], None] | None = None,
) -> Trajectory:
    """Run one episode to its end, whatever happens: a failure that is not the agent's is in the record, not raised.

    The agent's calls go through a session of `gateway` (None: one of its own, without a journal). `watch` is handed the
    episode when it exists, to look at while it goes on. Only Ctrl-C and its like pass through.
    """
    if gateway is None:
        with Gateway() as own:
            return rollout(job, backend, config=config, pool=pool, gateway=own, watch=watch)
    episode = Episode(job.task, backend, pool=pool, config=config, seed=job.seed)
    if watch is not None:
        watch(episode)
    session = None
    try:
        if job.model is not None:
            labels = {"task": job.task.name, "scaffold": job.scaffold.name, "attempt": str(job.attempt)}
            session = gateway.open(job.model, episode=episode.id, **labels)
        episode.start(job.scaffold.mounts(backend) if isinstance(job.scaffold, MountingScaffold) else None)
        with contextlib.suppress(EpisodeOver):
            job.scaffold.run(episode, session)  # type: ignore[arg-type]  # None only where it is not asked
            while not episode.over:
                episode.step("")  # a scaffold that just returns has said that it is done, with every step
    except SandboxError as error:
        episode.fail(StopReason.SANDBOX_LOST, error)
    except AgentError as error:
        episode.stop(StopReason.AGENT_ERROR, error)
    except AgentGymError as error:
        episode.failure = Failure.of(error)
    except Exception as error:  # the scaffold is a plug-in: its faults are its own, and one must not end a thousand
        logger.exception("scaffold %s broke on %s", job.scaffold.name, job.task.name)
        episode.failure = Failure.of(error)
    finally:
        if session is not None:
            gateway.forget(session)
        episode.close()
    calls = session.calls if session is not None else []
    return episode.trajectory(job.scaffold.name, job.model_name, job.attempt, calls)


def rollouts(
    jobs: Iterable[Job],
    backend: Backend,
    *,
    parallel: int,
    config: EpisodeConfig | None = None,
    gateway: Gateway | None = None,
    watch: Callable[[Job, Episode], None] | None = None,
    finish: Callable[[Trajectory], Trajectory] | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Trajectory]:
    """Run many, `parallel` at a time, each on a thread; trajectories come as they end, each through `finish` on the
    same thread. Once `stop` is set no further job is begun."""
    waiting = iter(jobs)

    def run(job: Job) -> Trajectory:
        seen = (lambda episode: watch(job, episode)) if watch else None
        trajectory = rollout(job, backend, config=config, gateway=gateway, watch=seen)
        return finish(trajectory) if finish else trajectory

    with ThreadPoolExecutor(parallel, thread_name_prefix="agentgym-rollout") as threads:
        running: set[Future[Trajectory]] = set()
        while True:
            while len(running) < parallel and not (stop and stop.is_set()):
                job = next(waiting, None)
                if job is None:
                    break
                running.add(threads.submit(run, job))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
