"""RepoEnv as Gymnasium and its users handle it: checked, seeded, wrapped, vectorised, forked, lost; and its async twin."""

from __future__ import annotations

import asyncio
import json
import math
import os
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import flatten, unflatten
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import RecordEpisodeStatistics, TimeLimit

from agentgym.env import EpisodeConfig
from agentgym.errors import TaskError, UsageError
from agentgym.gym import OBSERVATION_CHARS, AsyncRepoEnv, RepoEnv, Text
from agentgym.protocols import Backend, ToolCall
from agentgym.task import find_tasks, load_task
from agentgym.tools import ToolPool
from tests.loss import kill_sandbox
from tests.sandbox.host import eventually, gone, processes, unique_sleep
from tests.tasks import TASKS, vary

GREET = TASKS / "greet"
BOTH = [load_task(GREET), load_task(TASKS / "part")]


def bash(command: str) -> str:
    return json.dumps({"name": "bash", "arguments": {"command": command}})


@pytest.fixture
def make_env(backend: Backend) -> Iterator[Callable[..., RepoEnv]]:
    """make_env(task, …): closed after the test."""
    made: list[RepoEnv] = []

    def make(task: Any = GREET, **options: Any) -> RepoEnv:
        made.append(RepoEnv(task, backend, **options))
        return made[-1]

    yield make
    for env in made:
        env.close()


# -------------------------------------------------------------------------------------------------- the interface


def test_check_env(backend: Backend) -> None:
    """Its warnings are errors here."""
    env = gymnasium.make("agentgym/Repo-v0", task=BOTH, sandbox=backend.name, render_mode="ansi")
    check_env(env.unwrapped)
    env.close()


def test_make(backend: Backend) -> None:
    env = gymnasium.make("agentgym/Repo-v0", task=str(GREET), sandbox=backend.name)
    observation, info = env.reset(seed=1)
    assert observation == (GREET / "instruction.md").read_text()
    assert (info["task"], info["workdir"]) == ("greet", "/app")
    assert "run_tests" in info["tools"]
    assert env.step(bash("pwd; cat greeting.txt")) == ("/app\nnothing", 0.0, False, False, {})
    assert env.step(ToolCall("write_file", {"path": "greeting.txt", "content": "hello\n"}))[1:4] == (0.0, False, False)
    _, reward, terminated, truncated, info = env.step("It says hello now.")
    assert (reward, terminated, truncated, info["stop_reason"]) == (1.0, True, False, "submitted")
    assert info["outcome"].reward == 1.0
    env.close()
    env.close()


def test_submitting_by_the_tool(make_env: Callable[..., RepoEnv]) -> None:
    env = make_env()
    env.reset()
    observation, reward, terminated, _, _ = env.step('{"name": "submit", "arguments": {"message": "done"}}')
    assert (observation, reward, terminated) == ("done", 0.0, True)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ('{"name": "bash", "argu', "not JSON"),
        ('{"a":' * 100_000, "not JSON"),
        ('{"tool": "bash"}', "a JSON object with tool"),
        ("{}", "nothing in it"),
        ('{"name": "bash", "arguments": "ls"}', "a JSON object with arguments, name"),
        ('{"name": "bsah", "arguments": {"command": "ls"}}', '(nearest known tool: "bash")'),
        ('{"name": "bash", "arguments": {"comand": "ls"}}', '(nearest known argument: "command")'),
    ],
    ids=["json", "deep", "keys", "empty", "arguments", "tool", "argument"],
)
def test_malformed_actions(make_env: Callable[..., RepoEnv], action: str, said: str) -> None:
    """Answered, recorded, and counted as steps: a broken model must not go on for ever."""
    env = make_env(config=EpisodeConfig(max_turns=2))
    env.reset()
    observation, reward, terminated, truncated, _ = env.step(action)
    assert said in observation
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert env.step(action)[3]
    assert env.episode
    [first, _] = [step for turn in env.episode.trajectory("-", "-").turns for step in turn.steps]
    assert first.is_error
    assert said in first.observation


def test_after_the_end(make_env: Callable[..., RepoEnv]) -> None:
    env = make_env()
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step("x")
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.fork()
    env.reset()
    ended = env.step("done")
    for action in ("again", bash("echo hello > greeting.txt"), '{"name'):
        observation, *rest = env.step(action)
        assert (observation, rest) == ("", [*ended[1:]])
    env.close()
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step("x")


def test_reset_starts_over(make_env: Callable[..., RepoEnv]) -> None:
    env = make_env()
    marker = unique_sleep()
    env.reset()
    env.step(bash(f"echo hello > greeting.txt; cd /; sleep {marker} &"))
    assert eventually(lambda: bool(processes(f"sleep\0{marker}")))
    env.reset()
    assert gone(f"sleep\0{marker}")
    assert env.step(bash("pwd; cat greeting.txt"))[0] == "/app\nnothing"
    env.reset()
    env.reset()


def test_render(make_env: Callable[..., RepoEnv]) -> None:
    env = make_env(render_mode="ansi")
    env.reset()
    env.step(bash("echo shown"))
    env.step(ToolCall("bash", {"command": "echo too"}))
    text = env.render()
    assert text
    assert text.startswith("Write the word hello")
    assert text.index("\nshown") < text.index("> bash") < text.index("\ntoo")
    assert make_env().render() is None


def test_a_subset_of_the_tools(make_env: Callable[..., RepoEnv]) -> None:
    env = make_env(tools=["read_file", "submit"])
    assert env.reset()[1]["tools"] == ["read_file", "submit"]
    assert "The tools are: read_file, submit" in env.step(bash("ls"))[0]
    assert {json.loads(env.action_space.sample())["name"] for _ in range(40)} == {"read_file", "submit"}


def test_huge_observations_are_cut(make_env: Callable[..., RepoEnv], tmp_path: Path) -> None:
    env = make_env(vary(tmp_path / "task", {"instruction.md": "é" * 300_000}))
    observation, _ = env.reset()
    assert env.observation_space.contains(observation)
    assert f"[{300_000 - 2 * (OBSERVATION_CHARS // 2 - 100)} characters left out]" in observation


# ------------------------------------------------------------------------------------------------ tasks and seeds


def test_seeds(make_env: Callable[..., RepoEnv]) -> None:
    one, other = make_env(BOTH), make_env(BOTH)
    draws = []
    for env in (one, other):
        names = [env.reset(seed=7)[1]["task"], *(env.reset()[1]["task"] for _ in range(7))]
        draws.append((names, [env.step(action)[0] for action in (bash("ls -la"), bash("cat greeting.txt"))]))
    assert draws[0] == draws[1]
    assert set(draws[0][0]) == {"greet", "part"}


def test_the_task_asked_for(make_env: Callable[..., RepoEnv]) -> None:
    env = make_env(BOTH)
    assert {env.reset(options={"task": "part"})[1]["task"] for _ in range(3)} == {"part"}
    with pytest.raises(UsageError, match="greet, part"):
        env.reset(options={"task": "prat"})


def test_tasks_by_pattern(make_env: Callable[..., RepoEnv]) -> None:
    assert [task.name for task in make_env(str(TASKS / "[gp]*")).tasks] == ["greet", "part"]
    with pytest.raises(TaskError, match="found no task"):
        make_env("no-such-task-anywhere")
    with pytest.raises(UsageError, match="namespaces and docker"):
        RepoEnv(GREET, "podman")


def test_arguments_can_be_pickled() -> None:
    """Workers of other start methods than fork get them so."""
    for value in (BOTH, find_tasks(TASKS), EpisodeConfig(max_turns=3), ToolPool.default().without("bash")):
        again = pickle.loads(pickle.dumps(value))
        assert repr(again) == repr(value)


def test_text_space() -> None:
    space = Text(64)
    for text in ("", "plain", "ünï → 文字 🎉", "\x00\n\t", "\ud800", "x" * 64):
        assert text in space
        assert unflatten(space, flatten(space, text)) == text
    assert "x" * 65 not in space
    assert np.array("x") not in space
    assert space == Text(64) != Text(65)
    assert repr(space) == "Text(0, 64)"


# ------------------------------------------------------------------------------------------------------- wrappers


def test_time_limit(make_env: Callable[..., RepoEnv]) -> None:
    env = TimeLimit(RecordEpisodeStatistics(make_env()), max_episode_steps=2)
    for _ in range(2):
        env.reset()
        assert env.step(bash("true"))[2:4] == (False, False)
        assert env.step(bash("true"))[2:4] == (False, True)


def test_statistics(make_env: Callable[..., RepoEnv]) -> None:
    env = RecordEpisodeStatistics(make_env())
    env.reset()
    env.step(bash("echo hello > greeting.txt"))
    info = env.step("done")[4]
    assert (info["episode"]["r"], info["episode"]["l"]) == (1.0, 2)


# --------------------------------------------------------------------------------------------------- vectorised


def solve_two(envs: Any) -> None:
    """Both environments at once; one does the work, one does not. The third step starts both anew."""
    observations, _ = envs.reset(seed=1)
    assert observations == ((GREET / "instruction.md").read_text(),) * 2
    observations, rewards, *_ = envs.step((bash("echo hello > greeting.txt; echo → é"), bash("pwd")))
    assert observations == ("→ é", "/app")
    assert list(rewards) == [0, 0]
    _, rewards, terminated, truncated, _ = envs.step(("done", "done"))
    assert (list(rewards), list(terminated), list(truncated)) == ([1, 0], [True, True], [False, False])
    observations, *_ = envs.step(("ignored", "ignored"))
    assert observations == ((GREET / "instruction.md").read_text(),) * 2


def test_make_vec_sync(backend: Backend) -> None:
    envs = gymnasium.make_vec("agentgym/Repo-v0", 2, vectorization_mode="sync", task=str(GREET), sandbox=backend.name)
    solve_two(envs)
    envs.close()
    envs.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")  # pytest-xdist's own thread
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_make_vec_async(backend: Backend, context: str) -> None:
    """A supervisor a worker, also where this process has one already; nothing stays behind."""
    RepoEnv(GREET, backend).reset()
    envs = gymnasium.make_vec(
        "agentgym/Repo-v0", 2, vectorization_mode="async", vector_kwargs={"context": context}, task=str(GREET),
        sandbox=backend.name,
    )  # fmt: skip
    marker = unique_sleep()
    solve_two(envs)
    envs.step((bash(f"sleep {marker} &"),) * 2)
    workers = {process.pid for process in envs.processes}  # type: ignore[attr-defined]
    assert eventually(lambda: len(processes(f"sleep\0{marker}")) == 2)
    if backend.name == "namespaces":
        assert {owner_of(pid) for pid in processes(f"sleep\0{marker}")} == workers
    envs.close()
    assert gone(f"sleep\0{marker}")
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def owner_of(pid: int) -> int:
    """The process of Python's multiprocessing that `pid` descends from."""
    ours = {int(child) for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
    while pid not in ours:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid


# ----------------------------------------------------------------------------------------------------------- fork


@pytest.fixture
def make_fork() -> Iterator[Callable[[RepoEnv], RepoEnv]]:
    made: list[RepoEnv] = []

    def fork(env: RepoEnv) -> RepoEnv:
        made.append(env.fork())
        return made[-1]

    yield fork
    for env in made:
        env.close()


def steps_of(env: RepoEnv) -> list[str]:
    assert env.episode
    return [step.observation for turn in env.episode.trajectory("-", "-").turns for step in turn.steps]


def test_forks_go_their_own_ways(make_env: Callable[..., RepoEnv], make_fork: Callable[[RepoEnv], RepoEnv]) -> None:
    env = make_env(render_mode="ansi")
    env.reset(seed=1)
    env.step(bash("echo hello > greeting.txt; echo before"))
    twin = make_fork(env)
    assert twin.step(bash("cat greeting.txt; echo bye > greeting.txt"))[0] == "hello"
    assert env.step(bash("cat greeting.txt; echo ruined > rules.txt; rm -r docs"))[0] == "hello"
    assert twin.step(bash("cat greeting.txt rules.txt; ls"))[0] == "bye\nbe polite\ndocs\ngreeting.txt\nrules.txt"
    assert steps_of(env) == ["before", "hello"]
    assert steps_of(twin)[:2] == ["before", "hello"]
    assert len(steps_of(twin)) == 3
    assert env.episode
    assert twin.episode
    assert env.episode.id != twin.episode.id
    assert "before" in (twin.render() or "")
    assert env.step("done")[1] == 1.0
    assert twin.step("done")[1] == 0.0
    assert env.np_random.integers(1 << 30) == twin.np_random.integers(1 << 30)


def test_work_before_the_fork_counts(make_env: Callable[..., RepoEnv], make_fork: Callable[[RepoEnv], RepoEnv]) -> None:
    """A fork of a fork is graded by all that was done since the image, its parents closed first."""
    env = make_env()
    env.reset()
    env.step(bash("echo hello > greeting.txt"))
    child = make_fork(env)
    env.close()
    child.step(bash("echo more > more.txt"))
    grandchild = make_fork(child)
    child.close()
    assert grandchild.step(bash("cat greeting.txt more.txt"))[0] == "hello\nmore"
    assert grandchild.step("done")[1] == 1.0
    assert grandchild.episode
    patch = grandchild.episode.patch
    assert patch
    assert "+hello" in patch
    assert "+more" in patch


def test_an_unused_fork(make_env: Callable[..., RepoEnv], make_fork: Callable[[RepoEnv], RepoEnv]) -> None:
    env = make_env()
    env.reset()
    make_fork(env).close()
    assert env.step(bash("pwd"))[0] == "/app"


# -------------------------------------------------------------------------------------------------------- endings


def test_max_turns(make_env: Callable[..., RepoEnv]) -> None:
    """A limit cuts off; what was done by then is graded."""
    env = make_env(config=EpisodeConfig(max_turns=2))
    env.reset()
    assert env.step(bash("echo hello > greeting.txt"))[2:4] == (False, False)
    _, reward, terminated, truncated, info = env.step(bash("true"))
    assert (reward, terminated, truncated, info["stop_reason"]) == (1.0, False, True, "max_turns")


def test_timeout(make_env: Callable[..., RepoEnv]) -> None:
    """The command is cut off too, well before its own limit."""
    env = make_env(config=EpisodeConfig(timeout_s=1.0))
    env.reset()
    began = time.monotonic()
    observation, reward, terminated, truncated, info = env.step(bash("echo hello > greeting.txt; sleep 60"))
    assert time.monotonic() - began < 30
    assert "timed out" in observation
    assert (reward, terminated, truncated, info["stop_reason"]) == (1.0, False, True, "timeout")


def test_lost_sandbox(make_env: Callable[..., RepoEnv]) -> None:
    env = make_env()
    env.reset()
    marker = unique_sleep()
    env.step(bash(f"sleep {marker} &"))
    kill_sandbox(marker)
    _, reward, terminated, truncated, info = env.step(bash("echo on"))
    assert math.isnan(reward)
    assert (terminated, truncated, info["stop_reason"]) == (False, True, "sandbox_lost")
    assert info["error"]
    assert math.isnan(env.step("done")[1])
    assert env.reset()[1]["task"] == "greet"
    assert env.step(bash("pwd"))[0] == "/app"


def test_sandbox_lost_while_a_command_runs(make_env: Callable[..., RepoEnv]) -> None:
    env = make_env()
    env.reset()
    marker = unique_sleep()
    # the killer is outside, and sees the command start
    if not (child := os.fork()):
        kill_sandbox(marker)
        os._exit(0)
    _, reward, _, truncated, info = env.step(bash(f"sleep {marker}"))
    os.waitpid(child, 0)
    assert math.isnan(reward)
    assert (truncated, info["stop_reason"]) == (True, "sandbox_lost")


# ---------------------------------------------------------------------------------------------------------- async


def test_eight_at_once(backend: Backend) -> None:
    """Their commands overlap: each waits until all have started."""
    config = EpisodeConfig(tool_timeout_s=60.0)
    envs = [AsyncRepoEnv(BOTH, backend, config=config) for _ in range(8)]

    async def one(number: int) -> tuple[str, float]:
        env = envs[number]
        await env.reset(seed=number, options={"task": "greet"})
        observation, *_ = await env.step(bash(f"echo hello > greeting.txt; sleep 0.5; echo {number}"))
        _, reward, *_ = await env.step("done" if number % 2 else bash("rm greeting.txt"))
        if not number % 2:
            _, reward, *_ = await env.step("done")
        return observation, reward

    async def all_of_them() -> list[tuple[str, float]]:
        try:
            return list(await asyncio.gather(*(one(number) for number in range(8))))
        finally:
            await asyncio.gather(*(env.close() for env in envs))
            await envs[0].close()

    assert asyncio.run(all_of_them()) == [(str(number), float(number % 2)) for number in range(8)]
