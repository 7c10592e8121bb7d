"""Admitting tasks: which rollouts to do, in which order, and what they say together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed

from agentgym.admission import checks
from agentgym.admission.dig import dig, parse_patch
from agentgym.admission.probes import Gold, Probe, probes
from agentgym.admission.report import Admission, Finding, Run, Status
from agentgym.backends import build_image
from agentgym.entry import make_scaffold
from agentgym.env import Episode
from agentgym.errors import ImageError, SandboxError, TaskError
from agentgym.gateway import Session
from agentgym.protocols import Backend
from agentgym.rollout import Job, rollout
from agentgym.scaffold import Scaffold
from agentgym.task import Task
from agentgym.trajectory import TaskRef

Watch = Callable[[Task, str], None]
"""Told of each piece of work that begins: the task, and "image", "gold 1", "nop 3", "dig" or a probe's name."""


def admissions(
    tasks: Sequence[Task],
    backend: Backend,
    *,
    parallel: int = 2,
    repeats: int = 3,
    quick: bool = False,
    watch: Watch = lambda task, work: None,
) -> Iterator[Admission]:
    """Admit many, `parallel` rollouts at a time; they come as they are done. `quick`: one run a state, and the probes
    that depend on the task alone."""
    rollouts = ThreadPoolExecutor(parallel, "agentgym-rollout")
    admitting = ThreadPoolExecutor(parallel, "agentgym-admit")

    def one(task: Task) -> Admission:
        return admit(task, backend, rollouts, repeats=repeats, quick=quick, watch=watch)

    try:
        waiting = [admitting.submit(one, task) for task in tasks]
        for future in as_completed(waiting):
            yield future.result()
    finally:  # the caller may have had enough, or pressed Ctrl-C: what has not begun is not begun any more
        rollouts.shutdown(wait=False, cancel_futures=True)
        admitting.shutdown(wait=False, cancel_futures=True)


def admit(
    task: Task,
    backend: Backend,
    rollouts: Executor,
    *,
    repeats: int = 3,
    quick: bool = False,
    watch: Watch = lambda task, work: None,
) -> Admission:
    """Admit one task. Its rollouts go to `rollouts`, on other threads than this one."""
    began = time.monotonic()
    ref = TaskRef(name=task.name, checksum=task.checksum, suite=task.gym.suite, split=task.gym.split)
    findings = list(checks.settings(task))
    runs: list[Run] = []

    def finished() -> Admission:
        return Admission.of(ref, backend.name, findings, runs, time.monotonic() - began)

    watch(task, "image")
    try:
        build_image(task, backend)
    except (ImageError, TaskError) as error:
        findings.append(Finding(name="image", status="refused", detail=str(error)))
        return finished()
    except SandboxError as error:
        findings.append(Finding(name="image", status="unknown", detail=str(error)))
        return finished()
    findings.append(Finding(name="image", status="ok", detail=f"{time.monotonic() - began:.1f} s"))

    def start(scaffold: Scaffold, agent: str, repeat: int = 0) -> Future[Run]:
        return rollouts.submit(_run, task, backend, scaffold, agent, repeat, watch)

    repeats = 1 if quick else repeats
    golden = _Gold()
    gold = [start(golden, "gold", repeat) for repeat in range(repeats)]
    nop = [start(make_scaffold("nop"), "nop", repeat) for repeat in range(repeats)]
    runs += [future.result() for future in (*gold, *nop)]
    findings += checks.runs(task, runs[:repeats], runs[repeats:])
    if any(run.reward != 1.0 for run in runs[:repeats]):
        findings.append(Finding(name="probes", status="skipped", detail="the solution is not rewarded"))
        return finished()

    digging = rollouts.submit(_dig, task, backend, golden.found, watch)
    probing: list[tuple[Probe, Future[Run] | None]] = []
    for probe in probes(task, golden.found, quick=quick):
        probing.append((probe, None if probe.pointless() else start(probe, probe.name)))
    for probe, future in probing:
        if future is None:
            findings.append(Finding(name=probe.name, status="skipped", detail=probe.pointless()))
        else:
            runs.append(future.result())
            findings.append(_judge(probe, runs[-1]))
    findings.append(digging.result())
    return finished()


class _Gold:
    """The oracle, and a look at what it left."""

    name = "oracle"
    needs_model = False

    def __init__(self) -> None:
        self._oracle = make_scaffold("oracle")
        self.found = Gold()

    def run(self, episode: Episode, model: Session) -> None:
        self._oracle.run(episode, model)
        if episode.patch:
            files = {}
            for name in parse_patch(episode.patch):
                files[name] = episode.sandbox.read(f"{episode.workdir}/{name}")
            self.found = Gold(episode.patch, files)


def _run(task: Task, backend: Backend, scaffold: Scaffold, agent: str, repeat: int, watch: Watch) -> Run:
    watch(task, f"{agent} {repeat + 1}" if agent in ("gold", "nop") else agent)
    began = time.monotonic()
    trajectory = rollout(Job(task, scaffold, None, attempt=repeat), backend)
    return Run.of(agent, trajectory, time.monotonic() - began)


def _dig(task: Task, backend: Backend, gold: Gold, watch: Watch) -> Finding:
    watch(task, "dig")
    return dig(task, backend, gold)


def _judge(probe: Probe, run: Run) -> Finding:
    """A probe must earn nothing."""
    if run.infrastructure:
        return Finding(name=probe.name, status="unknown", detail=run.infrastructure)
    if run.reward is None:
        status: Status = "ok" if probe.forges_reward else "warning"
        return Finding(name=probe.name, status=status, detail=f"not credited, and not graded either: {run.trouble}")
    if run.reward > 0:
        return Finding(name=probe.name, status="refused", detail=f"the cheat is rewarded: {run.reward}; {run.detail}")
    return Finding(name=probe.name, status="ok", detail=run.detail)
