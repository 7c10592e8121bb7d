"""One rollout to its end whatever happens, and many at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agentgym.env import Episode, EpisodeConfig
from agentgym.errors import ModelError, TaskError
from agentgym.models import ScriptedModel
from agentgym.protocols import Backend, Message, Model, ToolCall
from agentgym.rollout import Job, rollout, rollouts
from agentgym.task import Task, load_task
from agentgym.tools import ToolPool
from agentgym.trajectory import Trajectory
from tests.loss import kill_sandbox
from tests.sandbox.host import gone, unique_sleep
from tests.tasks import TASKS, vary

GREET, PART, CLIMB = (load_task(TASKS / name) for name in ("greet", "part", "climb"))
HELLO = ToolCall("bash", {"command": "echo hello > greeting.txt"})


@dataclass
class Doing:
    """A scaffold that does one thing and returns."""

    do: Callable[[Episode], object]
    name: str = "doing"
    needs_model: bool = False

    def run(self, episode: Episode, model: Model) -> None:
        self.do(episode)


def raising(error: Exception) -> Doing:
    def do(episode: Episode) -> None:
        episode.step(HELLO)
        raise error

    return Doing(do)


SOLVING = Doing(lambda episode: episode.step(HELLO))


def run(backend: Backend, scaffold: Doing = SOLVING, task: Task = GREET, model: Model | None = None) -> Trajectory:
    trajectory = rollout(Job(task, scaffold, model), backend)
    assert Trajectory.model_validate_json(trajectory.model_dump_json()) == trajectory
    return trajectory


# ------------------------------------------------------------------------------------------------------------- one


def test_returning_hands_the_work_in(backend: Backend) -> None:
    trajectory = run(backend)
    assert (trajectory.stop_reason, trajectory.reward, trajectory.settled) == ("submitted", 1.0, True)
    assert [step.name for turn in trajectory.turns for step in turn.steps] == ["bash", ""]


def test_returning_hands_in_every_step(backend: Backend) -> None:
    trajectory = run(
        backend, Doing(lambda episode: episode.step(ToolCall("bash", {"command": "echo one > log.txt"}))), CLIMB
    )
    assert trajectory.stop_reason == "submitted"
    assert trajectory.outcome
    assert trajectory.outcome.step_rewards == [1.0, 0.0, 0.0]


def test_a_record_of_everything(backend: Backend) -> None:
    job = Job(GREET, SOLVING, ScriptedModel([], name="m"), attempt=2, seed=5)
    trajectory = rollout(job, backend)
    assert trajectory.key == job.key == (GREET.checksum, "doing", "m", 2)
    assert (trajectory.seed, trajectory.backend) == (5, backend.name)
    assert trajectory.patch
    assert "+hello" in trajectory.patch


@pytest.mark.parametrize(
    ("error", "owner"),
    [
        (ValueError("oops"), "scaffold"),
        (RecursionError("deep"), "scaffold"),
        (TaskError("no solution"), "task"),
        (ModelError("gone"), "model"),
    ],
)
def test_a_scaffold_that_raises(backend: Backend, error: Exception, owner: str) -> None:
    """Nothing is graded, and the error says whose it is."""
    trajectory = run(backend, raising(error))
    assert trajectory.error
    assert (trajectory.error.owner, trajectory.error.type, trajectory.error.message) == (
        owner, type(error).__name__, str(error)
    )  # fmt: skip
    assert (trajectory.stop_reason, trajectory.outcome, trajectory.settled) == (None, None, False)
    assert len(trajectory.turns) == 1


def test_raising_between_steps_leaves_no_reward(backend: Backend) -> None:
    """Though the first step was graded."""

    def do(episode: Episode) -> None:
        episode.step(ToolCall("bash", {"command": "echo one > log.txt"}))
        episode.step("done")
        raise ValueError

    trajectory = run(backend, Doing(do), CLIMB)
    assert (trajectory.reward, trajectory.settled) == (None, False)


def test_going_on_after_the_end(backend: Backend) -> None:
    """Whoever does not ask is stopped; it is no error."""

    def do(episode: Episode) -> None:
        for _ in range(9):
            episode.step(HELLO)
            episode.step("done")

    trajectory = run(backend, Doing(do))
    assert (trajectory.stop_reason, trajectory.reward, trajectory.error) == ("submitted", 1.0, None)


def test_a_lost_sandbox(backend: Backend) -> None:
    """Also where the scaffold, not a tool, is the first to notice."""

    def do(episode: Episode) -> None:
        marker = unique_sleep()
        episode.step(ToolCall("bash", {"command": f"sleep {marker} &"}))
        kill_sandbox(marker)
        episode.sandbox.exec("true")

    trajectory = run(backend, Doing(do))
    assert trajectory.error
    assert (trajectory.stop_reason, trajectory.reward, trajectory.error.owner) == ("sandbox_lost", None, "sandbox")


def test_a_task_that_does_not_start(backend: Backend, tmp_path: Path) -> None:
    broken = vary(tmp_path / "a", {"environment/Dockerfile": "FROM python:3.11-bookworm\nRUN exit 3\n"})
    trajectory = run(backend, task=broken)
    assert trajectory.error
    assert (trajectory.error.owner, trajectory.stop_reason, trajectory.reward) == ("task", None, None)
    unhealthy = vary(tmp_path / "b", toml='[environment.healthcheck]\ncommand = "exit 1"\nretries = 0\n')
    trajectory = run(backend, task=unhealthy)
    assert trajectory.error
    assert (trajectory.error.owner, trajectory.error.type) == ("task", "TaskError")


def test_watching(backend: Backend) -> None:
    """The episode is handed over before it starts, and is the one that is recorded."""
    seen: list[tuple[str, bool]] = []
    trajectory = rollout(
        Job(GREET, SOLVING, None), backend, watch=lambda episode: seen.append((episode.id, episode.over))
    )
    assert seen == [(trajectory.id, False)]


def test_ctrl_c_passes_through(backend: Backend) -> None:
    marker = unique_sleep()

    def do(episode: Episode) -> None:
        episode.step(ToolCall("bash", {"command": f"sleep {marker} &"}))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rollout(Job(GREET, Doing(do), None), backend)
    assert gone(f"sleep\0{marker}")


def test_pool_and_config(backend: Backend) -> None:
    pool = ToolPool.default().select(["bash"])

    def do(episode: Episode) -> None:
        assert list(episode.pool) == ["bash"]
        while True:
            episode.step(HELLO)

    trajectory = rollout(Job(GREET, Doing(do), None), backend, pool=pool, config=EpisodeConfig(max_turns=3))
    assert (trajectory.stop_reason, trajectory.reward, len(trajectory.turns)) == ("max_turns", 1.0, 3)


# ------------------------------------------------------------------------------------------------------------ many


@dataclass
class Meeting:
    """A scaffold whose episodes wait for one another: it ends only where all of them run at once."""

    parties: int
    name: str = "meeting"
    needs_model: bool = True
    barrier: threading.Barrier = field(init=False)

    def __post_init__(self) -> None:
        self.barrier = threading.Barrier(self.parties, timeout=60.0)

    def run(self, episode: Episode, model: Model) -> None:
        said = episode.reply(model, [{"role": "user", "content": episode.instruction}]).message["content"]
        self.barrier.wait()
        episode.step(ToolCall("bash", {"command": f"echo {said} > greeting.txt"}))


def test_sixteen_at_once(backend: Backend) -> None:
    """Each with its own files and its own record, while the caller takes them as they end."""

    def say(messages: object) -> str:
        return "hello"

    jobs = [Job(GREET, Meeting(1), ScriptedModel(say), attempt=n) for n in range(16)]
    together = Meeting(8)
    for n in range(8):
        jobs[n] = Job(GREET, together, ScriptedModel(["hello" if n % 2 else "no"]), attempt=n)
    done = list(rollouts(jobs, backend, parallel=8))
    assert sorted(trajectory.attempt for trajectory in done) == list(range(16))
    rewards = {trajectory.attempt: trajectory.reward for trajectory in done}
    assert rewards == {n: float(n >= 8 or n % 2) for n in range(16)}
    assert len({trajectory.id for trajectory in done}) == 16
    assert all(trajectory.error is None for trajectory in done)


def test_they_come_as_they_end(backend: Backend) -> None:
    first_done = threading.Event()

    def slow(episode: Episode) -> None:
        assert first_done.wait(60)

    jobs = [Job(GREET, Doing(slow, "slow"), None), Job(GREET, Doing(lambda _: None, "quick"), None)]
    names = []
    for trajectory in rollouts(jobs, backend, parallel=2):
        names.append(trajectory.scaffold)
        first_done.set()
    assert names == ["quick", "slow"]


def test_one_after_another_keeps_the_order(backend: Backend) -> None:
    jobs = [Job(task, SOLVING, None, attempt=n) for n, task in enumerate((GREET, PART, GREET))]
    assert [trajectory.attempt for trajectory in rollouts(jobs, backend, parallel=1)] == [0, 1, 2]


def test_one_failure_stops_nobody(backend: Backend) -> None:
    jobs = [Job(GREET, SOLVING if n % 2 else raising(ValueError("oops")), None, attempt=n) for n in range(4)]
    done = {trajectory.attempt: trajectory for trajectory in rollouts(jobs, backend, parallel=2)}
    assert [done[n].reward for n in range(4)] == [None, 1.0, None, 1.0]


def test_jobs_are_taken_as_there_is_room(backend: Backend) -> None:
    """They may be endless; none is begun once `stop` is set."""
    taken = 0

    def endless() -> Iterator[Job]:
        nonlocal taken
        while True:
            taken += 1
            yield Job(GREET, SOLVING, None, attempt=taken)

    stop = threading.Event()
    done = []
    for trajectory in rollouts(endless(), backend, parallel=2, stop=stop):
        done.append(trajectory)
        if len(done) == 3:
            stop.set()
    assert 3 <= len(done) <= 5
    assert taken <= 6
    assert all(trajectory.reward == 1.0 for trajectory in done)


def test_watching_many(backend: Backend) -> None:
    seen: dict[int, str] = {}
    jobs = [Job(GREET, SOLVING, None, attempt=n) for n in range(3)]

    def watch(job: Job, episode: Episode) -> None:
        seen[job.attempt] = episode.id

    done = {trajectory.attempt: trajectory.id for trajectory in rollouts(jobs, backend, parallel=3, watch=watch)}
    assert seen == done


def test_time_of_a_rollout(backend: Backend) -> None:
    """The parts are what they say, and together they are the whole."""

    class Slow:
        name = "slow"

        def reply(self, messages: object, tools: object = ()) -> object:
            time.sleep(0.3)
            return ScriptedModel(["well"]).reply([])

    def do(episode: Episode) -> None:
        messages: list[Message] = [{"role": "user", "content": "hi"}]
        episode.reply(Slow(), messages)  # type: ignore[arg-type]
        episode.step(ToolCall("bash", {"command": "sleep 0.2"}))
        time.sleep(0.1)

    began = time.monotonic()
    timing = run(backend, Doing(do)).timing
    wall_s = time.monotonic() - began
    assert 0.3 <= timing.model_s < 0.5
    assert timing.agent_s >= 0.2
    assert 0.1 <= timing.overhead_s < 0.5
    assert sum(timing.model_dump().values()) == pytest.approx(wall_s, abs=0.2)
