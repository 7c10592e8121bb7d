"""What an episode costs beyond the agent's own commands, and 64 of them at once on two cores.

The episode: start, five times `true` by the bash tool, submit, grade in a fresh sandbox, stop. Of its Timing,

    overhead = sandbox_s (the image looked up in the cache, not built) + grading_s + overhead_s - test.sh's own time

and agent_s (the tool calls) besides is the whole. The peer is mini-swe-agent's docker environment, which grades nothing
and whose clean-up is left out: starting it is held against our overhead, start and the same commands against our whole.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import gymnasium

import agentgym  # noqa: F401 -- registers the environment
from agentgym.backends import build_image, make_backend
from agentgym.env import Episode
from agentgym.protocols import Backend, Model, SandboxSpec, StopReason, ToolCall
from agentgym.rollout import Job, rollout, rollouts
from agentgym.sandbox.sharing import SharingBackend
from agentgym.task import Task, load_task
from agentgym.trajectory import Trajectory
from benchmarks import peers
from benchmarks.report import Row, arguments, interleaved, lower, publish
from benchmarks.sandbox import bubblewrap, void

N_COMMANDS = 5
N_AT_ONCE = 64
N_CORES = 2
GROUP_SIZE, N_DIFFERENT = 8, 3

TASK = {
    "task.toml": 'schema_version = "1.1"\n[task]\nname = "agentgym/trivial"\n[metadata.agentgym]\ngrading = "diff"\n'
    '[environment]\nnetwork_mode = "no-network"\nmemory_mb = 256\nstorage_mb = 128\n',
    "instruction.md": "Do nothing much.\n",
    "environment/Dockerfile": f"FROM {peers.IMAGE}\nWORKDIR /app\n",
    "tests/test.sh": "#!/bin/bash\nmkdir -p /logs/verifier\necho 1 > /logs/verifier/reward.txt\n",
}


class Commands:
    """A scaffold that runs `true` a few times and submits: an agent whose own work is next to nothing."""

    name = "commands"
    needs_model = False

    def run(self, episode: Episode, model: Model) -> None:
        for _ in range(N_COMMANDS):
            episode.step(ToolCall("bash", {"command": "true"}))
        episode.step(ToolCall("submit"))


class Writes:
    """A scaffold that writes a number and submits."""

    name = "writes"
    needs_model = False

    def __init__(self, number: int) -> None:
        self.number = number

    def run(self, episode: Episode, model: Model) -> None:
        episode.step(ToolCall("write_file", {"path": "number", "content": f"{self.number}\n"}))
        episode.step(ToolCall("submit"))


def trivial_task(folder: Path) -> Task:
    for name, text in TASK.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return load_task(folder)


def overhead_ms(trajectory: Trajectory, test_ms: float) -> float:
    timing = trajectory.timing
    return 1000 * (timing.sandbox_s + timing.grading_s + timing.overhead_s) - test_ms


def whole_ms(trajectory: Trajectory) -> float:
    return overhead_ms(trajectory, 0.0) + 1000 * trajectory.timing.agent_s


def median_test_ms(task: Task, backend: Backend, n: int) -> float:
    """test.sh's own time, as its sandbox reports it."""
    assert task.tests_dir is not None
    sandbox = backend.create(SandboxSpec(build_image(task, backend)))
    sandbox.start()
    sandbox.upload(task.tests_dir, "/tests")
    own_s = [sandbox.exec(["bash", "/tests/test.sh"], user="root").duration_s for _ in range(n)]
    sandbox.stop()
    return 1000 * statistics.median(own_s)


def episodes(task: Task, backend: Backend, n: int) -> list[Row]:
    test_ms = median_test_ms(task, backend, n)
    done: list[Trajectory] = []
    parts: list[dict[str, float | str]] = []
    with peers.mini_swe_agent(N_COMMANDS) as mini:
        for _ in range(n + 1):  # the first turn of each warms up
            done.append(rollout(Job(task, Commands(), None), backend))
            parts.append(mini.ask())
    check(done)
    start_ms = 1000 * statistics.median(float(part["start"]) for part in parts[1:])
    episode_ms = 1000 * statistics.median(float(part["episode"]) for part in parts[1:])
    own = statistics.median(overhead_ms(trajectory, test_ms) for trajectory in done[1:])
    sandbox_ms = statistics.median(1000 * trajectory.timing.sandbox_s for trajectory in done[1:])
    peer = f"mini-swe-agent {mini.version}, docker, without grading and clean-up"
    bound = f"{sandbox_ms:.1f} ms of it start and stop the agent's sandbox; test.sh's {test_ms:.1f} ms are not in it"
    return [
        lower("overhead of an episode", own, "ms", peer=peer, peer_value=start_ms, bound=bound, at_most=25),
        lower(f"episode of {N_COMMANDS} times `true`, all of it", statistics.median(map(whole_ms, done[1:])), "ms",
              peer=peer, peer_value=episode_ms),
    ]  # fmt: skip


def check(trajectories: list[Trajectory]) -> None:
    """A figure of episodes that failed would be none."""
    for trajectory in trajectories:
        if trajectory.reward != 1.0:
            why = trajectory.error or trajectory.outcome
            raise SystemExit(f"an episode ended with {trajectory.stop_reason}: {why}")


def at_once(task: Task, backend: Backend) -> list[Row]:
    test_ms = median_test_ms(task, backend, 5)
    began = time.perf_counter()
    done = list(rollouts((Job(task, Commands(), None, i) for i in range(N_AT_ONCE)), backend, parallel=N_AT_ONCE))
    wall_s = time.perf_counter() - began
    lost = N_AT_ONCE - sum(t.stop_reason is StopReason.SUBMITTED and t.reward == 1.0 for t in done)
    reasons = ", ".join(sorted({str(t.error.message if t.error else t.stop_reason) for t in done if t.reward != 1.0}))
    waiting = statistics.median(overhead_ms(trajectory, test_ms) for trajectory in done)
    cores = f"on {len(os.sched_getaffinity(0))} cores"
    each = f"{1000 * wall_s / N_AT_ONCE:.0f} ms an episode"
    return [
        lower(f"lost of {N_AT_ONCE} episodes at once {cores}", lost, "episodes", bound=reasons, at_most=0),
        Row(f"{N_AT_ONCE} episodes at once {cores}, wall clock", wall_s, "s", bound=each),
        Row(f"overhead of an episode, {N_AT_ONCE} at once", waiting, "ms", bound="most of it waits for a core"),
    ]


def group(task: Task, backend: Backend, n: int) -> Row:
    """A group of rollouts of which some do the same, as a policy's do."""

    def run(on: Backend) -> None:
        jobs = (Job(task, Writes(attempt % N_DIFFERENT), None, attempt) for attempt in range(GROUP_SIZE))
        check(list(rollouts(jobs, on, parallel=GROUP_SIZE)))

    took = interleaved(n, shared=lambda: run(SharingBackend(backend)), plain=lambda: run(backend))
    return lower(
        f"{GROUP_SIZE} episodes of which {N_DIFFERENT} differ, commands shared", took["shared"], "ms",
        peer="each run and graded", peer_value=took["plain"], bound=f"{GROUP_SIZE / N_DIFFERENT:.3g}x",
    )  # fmt: skip


def steps(task: Task, n: int) -> list[Row]:
    env = gymnasium.make("agentgym/Repo-v0", task=task)
    env.reset(seed=0)
    container = peers.container()
    action = ToolCall("bash", {"command": "true"})
    took = interleaved(
        n, step=lambda: void(env.step(action)), docker=lambda: void(peers.docker("exec", container, "true"))
    )
    env.close()
    peers.docker("rm", "-f", container)
    return [lower("env.step of `true`", took["step"], "ms", peer="docker exec", peer_value=took["docker"])]


def main() -> None:
    options = arguments("env")
    engine = peers.check_docker()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:N_CORES])  # the supervisor and all below it inherit this
    backend = make_backend("namespaces")
    n = 8 if options.quick else 40
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        task = trivial_task(Path(folder))
        build_image(task, backend)
        peers.progress("one episode at a time")
        rows += episodes(task, backend, n)
        peers.progress(f"{N_AT_ONCE} at once")
        rows += at_once(task, backend)
        peers.progress("a group that shares")
        rows.append(group(task, backend, n))
        peers.progress("steps")
        rows += steps(task, 5 * n)
    versions = {"agentgym": version("agentgym"), "bubblewrap": bubblewrap(), "docker engine": engine,
                "gymnasium": gymnasium.__version__}  # fmt: skip
    publish("env", rows, versions, options.json)


if __name__ == "__main__":
    main()
