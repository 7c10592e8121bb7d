"""Episode: limits, endings and whose they are, steps, setup, users, the tools a task offers, the network."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentgym.env import Episode, EpisodeConfig, EpisodeOver
from agentgym.errors import ModelError, SandboxLost, TaskError
from agentgym.models import ContextOverflow, ScriptedModel
from agentgym.protocols import Backend, Message, Model, Reply, StopReason, ToolCall, Usage
from agentgym.task import Task, load_task
from agentgym.tools import ToolPool
from tests.loss import kill_sandbox
from tests.sandbox.host import gone, unique_sleep
from tests.tasks import TASKS, vary

GREET = load_task(TASKS / "greet")
HI: list[Message] = [{"role": "user", "content": "hi"}]
HELLO = "echo hello > greeting.txt"


def bash(command: str) -> ToolCall:
    return ToolCall("bash", {"command": command})


@pytest.fixture
def open_episode(backend: Backend) -> Iterator[Callable[..., Episode]]:
    """open_episode(task=GREET, pool=…, **config): started, and closed after the test."""
    made: list[Episode] = []

    def make(task: Task = GREET, pool: ToolPool | None = None, **config: Any) -> Episode:
        made.append(Episode(task, backend, pool=pool, config=EpisodeConfig(**config)))
        made[-1].start()
        return made[-1]

    yield make
    for episode in made:
        episode.close()


def ending(episode: Episode) -> tuple[str | None, float | None]:
    outcome = episode.outcome
    return episode.stop_reason, outcome.reward if outcome else None


# --------------------------------------------------------------------------------------------------------- limits


def test_max_turns_counts_replies(open_episode: Callable[..., Episode]) -> None:
    """However many actions a reply asks for: those of the last one allowed still run."""
    episode = open_episode(max_turns=2)
    model = ScriptedModel(lambda _: "well")
    episode.reply(model, HI)
    for _ in range(3):
        episode.step(bash("true"))
    episode.reply(model, HI)
    assert not episode.step(bash(HELLO)).truncated
    assert not episode.over
    with pytest.raises(EpisodeOver):
        episode.reply(model, HI)
    assert ending(episode) == ("max_turns", 1.0)
    assert [len(turn.steps) for turn in episode.trajectory("-", "-").turns] == [3, 1]
    with pytest.raises(EpisodeOver):
        episode.step(bash("true"))


def test_submitting_in_the_last_turn(open_episode: Callable[..., Episode]) -> None:
    episode = open_episode(max_turns=1)
    episode.reply(ScriptedModel(["well"]), HI)
    step = episode.step("done")
    assert (step.terminated, step.truncated, step.reward) == (True, False, 0.0)
    assert ending(episode) == ("submitted", 0.0)


def test_max_tokens(open_episode: Callable[..., Episode]) -> None:
    episode = open_episode(max_tokens=10)
    model = ScriptedModel(lambda _: Reply({"role": "assistant", "content": "x"}, usage=Usage(1000, 5)))
    episode.reply(model, HI)
    episode.reply(model, HI)
    episode.step(bash(HELLO))
    with pytest.raises(EpisodeOver):
        episode.reply(model, HI)
    assert ending(episode) == ("max_tokens", 1.0)


def test_wall_clock(open_episode: Callable[..., Episode]) -> None:
    """It also cuts the command short that runs over it."""
    episode = open_episode(timeout_s=1.5)
    assert episode.step(bash(HELLO)).observation == "[no output]"
    began = time.monotonic()
    step = episode.step(bash("sleep 60"))
    assert time.monotonic() - began < 20
    assert (step.truncated, step.reward) == (True, 1.0)
    assert "timed out" in step.observation
    assert ending(episode) == ("timeout", 1.0)
    with pytest.raises(EpisodeOver):
        episode.reply(ScriptedModel(["late"]), HI)


def test_the_tasks_own_timeout(open_episode: Callable[..., Episode], tmp_path: Path) -> None:
    episode = open_episode(vary(tmp_path / "task", toml="[agent]\ntimeout_sec = 0.2\n"))
    time.sleep(0.3)
    with pytest.raises(EpisodeOver):
        episode.step(bash("true"))
    assert ending(episode) == ("timeout", 0.0)


def test_tool_timeout(open_episode: Callable[..., Episode]) -> None:
    episode = open_episode(tool_timeout_s=1.0)
    assert "timed out after 1 s" in episode.step(bash("sleep 60")).observation
    assert not episode.over


# ------------------------------------------------------------------------------------------------- whose it is


class Overflowing:
    """A model whose window is full."""

    name = "overflowing"

    def reply(self, messages: Sequence[Message], tools: Sequence[Any] = ()) -> Reply:
        raise ContextOverflow("131072 tokens is too much")


def test_model_error(open_episode: Callable[..., Episode]) -> None:
    episode = open_episode()
    episode.step(bash(HELLO))
    with pytest.raises(EpisodeOver):
        episode.reply(ScriptedModel([]), HI)
    assert ending(episode) == ("model_error", None)
    assert episode.failure
    assert (episode.failure.owner, episode.failure.type) == ("model", ModelError.__name__)
    assert episode.last_step().truncated
    assert episode.last_step().info["error"] == episode.failure.message


class Stranger:
    """A model of a package that does not import agentgym; its errors are known by an attribute."""

    name = "stranger"

    def __init__(self, **attributes: bool) -> None:
        self.attributes = attributes

    def reply(self, messages: Sequence[Message], tools: Sequence[Any] = ()) -> Reply:
        error = RuntimeError("no reply")
        vars(error).update(self.attributes)
        raise error


@pytest.mark.parametrize("model", [Overflowing(), Stranger(context_overflow=True)])
def test_context_overflow_is_graded(open_episode: Callable[..., Episode], model: Model) -> None:
    episode = open_episode()
    episode.step(bash(HELLO))
    with pytest.raises(EpisodeOver):
        episode.reply(model, HI)
    assert ending(episode) == ("context_overflow", 1.0)
    assert episode.failure is None


class Looping:
    """A model that its engine cut off."""

    name = "looping"

    def reply(self, messages: Sequence[Message], tools: Sequence[Any] = ()) -> Reply:
        return Reply({"role": "assistant", "content": "no no no no"}, "repetition", Usage(5, 3000))


def test_a_model_in_a_loop_is_graded(open_episode: Callable[..., Episode]) -> None:
    episode = open_episode()
    episode.step(bash(HELLO))
    with pytest.raises(EpisodeOver):
        episode.reply(Looping(), HI)
    assert ending(episode) == ("repetition", 1.0)
    assert episode.turns[-1].finish_reason == "repetition"


def test_a_strangers_failure_is_the_models_and_its_bug_is_not(open_episode: Callable[..., Episode]) -> None:
    episode = open_episode()
    with pytest.raises(EpisodeOver):
        episode.reply(Stranger(context_overflow=False), HI)
    assert ending(episode) == ("model_error", None)
    assert episode.failure
    assert episode.failure.owner == "model"
    with pytest.raises(RuntimeError, match="no reply"):
        open_episode().reply(Stranger(), HI)


@pytest.mark.parametrize("reason", ["solved", "repetition", "parse_error"])
def test_stopped_for_a_reason_is_graded(open_episode: Callable[..., Episode], reason: str) -> None:
    episode = open_episode()
    episode.step(bash(HELLO))
    step = episode.stop(StopReason(reason))
    assert ending(episode) == (reason, 1.0)
    assert step.terminated is (reason == "solved")
    assert step.truncated is not step.terminated
    assert episode.stop(StopReason.TIMEOUT) == step


def test_grader_error(open_episode: Callable[..., Episode], tmp_path: Path) -> None:
    broken = vary(tmp_path / "task", {"tests/test.sh": "echo boom >&2; exit 3\n"})
    episode = open_episode(broken)
    step = episode.step("done")
    assert (step.reward, step.truncated) == (None, True)
    assert ending(episode) == ("grader_error", None)
    assert episode.failure
    assert episode.failure.owner == "grader"
    assert "ended with 3" in episode.failure.message
    assert "boom" in episode.failure.message


def test_sandbox_lost_before_grading(open_episode: Callable[..., Episode]) -> None:
    episode = open_episode()
    marker = unique_sleep()
    episode.step(bash(f"{HELLO}; sleep {marker} &"))
    kill_sandbox(marker)
    assert episode.step("done").reward is None
    assert ending(episode) == ("sandbox_lost", None)
    assert episode.failure
    assert episode.failure.owner == "sandbox"
    episode.close()
    episode.close()


def test_closed_episode(open_episode: Callable[..., Episode], backend: Backend) -> None:
    with pytest.raises(SandboxLost, match="not started"):
        _ = Episode(GREET, backend).sandbox
    Episode(GREET, backend).close()
    unused = open_episode()
    unused.close()
    with pytest.raises(SandboxLost, match="closed"):
        _ = unused.workdir
    assert unused.trajectory("-", "-").outcome is None


def test_a_failed_start_leaves_nothing(backend: Backend, tmp_path: Path) -> None:
    marker = unique_sleep()
    episode = Episode(vary(tmp_path / "task", toml=f'[environment.healthcheck]\ncommand = "sleep {marker} & exit 7"\n'
                                                    "retries = 0\n"), backend)  # fmt: skip
    with pytest.raises(TaskError, match="kept failing"):
        episode.start()
    assert gone(f"sleep\0{marker}")


# ---------------------------------------------------------------------------------------------------------- steps


def climb(folder: Path, strategy: str) -> Task:
    text = (TASKS / "climb" / "task.toml").read_text().replace('"mean"', f'"{strategy}"')
    return vary(folder, {"task.toml": text}, of="climb")


@pytest.mark.parametrize(
    ("strategy", "said", "rewards", "reward"),
    [
        ("mean", ["one", "no", "three"], [1.0, 0.0, 1.0], 2 / 3),
        ("final", ["one", "no", "three"], [1.0, 0.0, 1.0], 1.0),
        ("final", ["one", "two", "no"], [1.0, 1.0, 0.0], 0.0),
        ("mean", ["no"], [0.0], 0.0),
        ("final", ["no"], [0.0], 0.0),
    ],
    ids=["mean", "final", "final missed", "gate", "final behind a gate"],
)
def test_steps(
    open_episode: Callable[..., Episode],
    tmp_path: Path,
    strategy: str,
    said: list[str],
    rewards: list[float],
    reward: float,
) -> None:
    """The next instruction comes as the observation; min_reward of the first step is a gate; files stay."""
    episode = open_episode(climb(tmp_path / "task", strategy))
    assert episode.instruction == "Append the line one to log.txt.\n"
    for number, word in enumerate(said):
        assert not episode.over
        assert f"line {('one', 'two', 'three')[number]} " in episode.instruction
        episode.step(bash(f"echo {word} >> log.txt"))
        step = episode.step("done")
        if not episode.over:
            assert (step.observation, step.reward, step.terminated) == (episode.instruction, 0.0, False)
    assert step.terminated
    assert episode.outcome
    assert episode.outcome.step_rewards == rewards
    assert episode.outcome.reward == pytest.approx(reward)


def test_files_and_setup_of_a_step(open_episode: Callable[..., Episode]) -> None:
    """Brought into WORKDIR when the step begins; the shell is a fresh one, the files are not."""
    episode = open_episode(load_task(TASKS / "climb"))
    episode.step(bash("echo one >> log.txt; cd /; X=1"))
    assert "cannot access" in episode.step(bash("ls /app/hint.txt")).observation
    episode.step("done")
    said = episode.step(bash("pwd; echo $X; cat hint.txt two.txt log.txt")).observation
    assert said == "/app\n\nbrought for two\nset up for two, after one\none"


def test_a_limit_in_the_second_step(open_episode: Callable[..., Episode]) -> None:
    episode = open_episode(load_task(TASKS / "climb"), max_turns=2)
    model = ScriptedModel(lambda _: "well")
    episode.reply(model, HI)
    episode.step(bash("echo one >> log.txt"))
    episode.step("done")
    episode.reply(model, HI)
    episode.step(bash("echo two >> log.txt"))
    with pytest.raises(EpisodeOver):
        episode.reply(model, HI)
    assert episode.stop_reason == "max_turns"
    assert episode.outcome
    assert episode.outcome.step_rewards == [1.0, 1.0]
    assert episode.outcome.reward == pytest.approx(2 / 3)


def test_grading_is_not_on_the_agents_clock(open_episode: Callable[..., Episode], tmp_path: Path) -> None:
    slow = ". /tests/word.sh one; sleep 2\n"
    episode = open_episode(vary(tmp_path / "task", {"steps/one/tests/test.sh": slow}, of="climb"), timeout_s=2.5)
    episode.step(bash("echo one >> log.txt"))
    assert "line two" in episode.step("done").observation
    assert not episode.step(bash("true")).truncated


def test_min_reward_by_name(open_episode: Callable[..., Episode], tmp_path: Path) -> None:
    """Of reward.json; `reward` is also what reward.txt says."""
    text = (TASKS / "climb" / "task.toml").read_text().replace("min_reward = 1.0", "min_reward = {reward = 1.0}")
    episode = open_episode(vary(tmp_path / "task", {"task.toml": text}, of="climb"))
    episode.step(bash("echo one >> log.txt"))
    assert "line two" in episode.step("done").observation
    text = text.replace("{reward = 1.0}", "{style = 0.5}")
    graded = """echo '{"reward": 1, "style": 0.4}' > /logs/verifier/reward.json\n"""
    files = {"task.toml": text, "steps/one/tests/test.sh": graded}
    assert open_episode(vary(tmp_path / "other", files, of="climb")).step("done").terminated


def test_a_broken_second_step(open_episode: Callable[..., Episode], tmp_path: Path) -> None:
    """The task's fault: no verdict, though the first step was graded."""
    episode = open_episode(vary(tmp_path / "task", {"steps/two/workdir/setup.sh": "echo oh no; exit 4\n"}, of="climb"))
    episode.step(bash("echo one >> log.txt"))
    with pytest.raises(TaskError, match=r"setup.sh of step two ended with 4: oh no"):
        episode.step("done")
    assert episode.trajectory("-", "-").outcome is None


# ---------------------------------------------------------------------------------------------------------- setup


def test_healthcheck(open_episode: Callable[..., Episode], tmp_path: Path) -> None:
    check = (
        '[environment.healthcheck]\ncommand = "echo x >> /tmp/n; [ $(wc -l < /tmp/n) -ge 3 ]"\ninterval_sec = 0.05\n'
    )
    episode = open_episode(vary(tmp_path / "task", toml=check))
    assert episode.step(bash("wc -l < /tmp/n")).observation == "3"


def test_healthcheck_that_fails(open_episode: Callable[..., Episode], tmp_path: Path) -> None:
    check = '[environment.healthcheck]\ncommand = "echo not yet; exit 1"\ninterval_sec = 0\nretries = 2\n'
    with pytest.raises(TaskError, match="not yet"):
        open_episode(vary(tmp_path / "task", toml=check))


def test_workdir_of_a_task(open_episode: Callable[..., Episode], tmp_path: Path) -> None:
    episode = open_episode(vary(tmp_path / "task", toml='workdir = "/app/docs"\n'))
    assert episode.workdir == "/app/docs"
    assert episode.step(bash("pwd; cat old.txt")).observation == "/app/docs\nold"
    assert episode.sandbox.exec("pwd").stdout == "/app/docs\n"


def test_environment_variables(
    open_episode: Callable[..., Episode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = vary(tmp_path / "task", toml='env = {PLAIN = "a b", FROM_HOST = "${AGENTGYM_TEST_KEY}"}\n')
    with pytest.raises(TaskError, match="AGENTGYM_TEST_KEY"):
        open_episode(task)
    monkeypatch.setenv("AGENTGYM_TEST_KEY", "k")
    assert open_episode(task).step(bash("echo $PLAIN/$FROM_HOST/$AGENTGYM_TEST_KEY")).observation == "a b/k/"


DOCKERFILE = (TASKS / "greet" / "environment" / "Dockerfile").read_text()


@pytest.mark.parametrize("user", ['"worker"', "1234", '"nobody"'])
def test_user(open_episode: Callable[..., Episode], tmp_path: Path, user: str) -> None:
    """[agent] user: tools and commands run as that, in a home that is its own where it has one."""
    create = f"RUN useradd -u {user if user.isdigit() else 4321} -m worker && chown -R worker /app\n"
    task = vary(tmp_path / "task", {"environment/Dockerfile": DOCKERFILE + create}, toml=f"[agent]\nuser = {user}\n")
    episode = open_episode(task)
    name = {'"worker"': "worker", "1234": "worker", '"nobody"': "nobody"}[user]
    assert episode.step(bash("id -un; pwd")).observation == f"{name}\n/app"
    assert episode.sandbox.exec("id -un").stdout == f"{name}\n"
    assert episode.step(ToolCall("run_tests")).observation.endswith("nothing")
    assert "Permission denied" in episode.step(bash("echo x > /etc/motd")).observation
    episode.step(bash(HELLO))
    assert episode.step("done").reward == (0.0 if name == "nobody" else 1.0)


def test_the_images_user_where_none_is_stated(open_episode: Callable[..., Episode], tmp_path: Path) -> None:
    task = vary(tmp_path / "task", {"environment/Dockerfile": DOCKERFILE + "RUN chown -R nobody .\nUSER nobody\n"})
    episode = open_episode(task)
    assert episode.step(bash(f"id -un; {HELLO}")).observation == "nobody"
    assert episode.step("done").reward == 1.0
    assert open_episode().step(bash("id -un")).observation == "root"


def test_steps_of_several_users(open_episode: Callable[..., Episode], tmp_path: Path) -> None:
    text = (TASKS / "climb" / "task.toml").read_text() + '\n[steps.agent]\nuser = "nobody"\n'
    with pytest.raises(TaskError, match="wanted one for all steps"):
        open_episode(vary(tmp_path / "task", {"task.toml": text}, of="climb"))


# ------------------------------------------------------------------------------------------------- what it offers


def test_tools_that_the_task_names(backend: Backend) -> None:
    assert list(Episode(load_task(TASKS / "part"), backend).pool) == ["bash", "submit"]


def test_run_tests_needs_a_command(backend: Backend, open_episode: Callable[..., Episode]) -> None:
    assert "run_tests" not in Episode(load_task(TASKS / "climb"), backend).pool
    assert "nothing" in open_episode().step(ToolCall("run_tests")).observation


def test_a_pool_of_ones_own(open_episode: Callable[..., Episode]) -> None:
    episode = open_episode(pool=ToolPool.default().select(["bash"]).rename({"bash": "terminal"}))
    assert episode.step(ToolCall("terminal", {"command": "pwd"})).observation == "/app"
    assert "There is no tool `submit`" in episode.step(ToolCall("submit")).observation


@pytest.mark.parametrize(
    ("online", "mode", "expected"),
    [
        (False, "public", "none"),
        (False, "allowlist", "none"),
        (True, "public", "public"),
        (True, "no-network", "none"),
        (True, "allowlist", None),
    ],
)
def test_network(
    open_episode: Callable[..., Episode], tmp_path: Path, online: bool, mode: str, expected: str | None
) -> None:
    """None by default, whatever the task asks for; and what cannot be kept is refused."""
    hosts = '\n[agent]\nallowed_hosts = ["pypi.org"]\n' if mode == "allowlist" else ""
    text = (TASKS / "greet" / "task.toml").read_text()
    if mode != "public":
        text = text.replace('network_mode = "public"\n', "" if hosts else f'network_mode = "{mode}"\n')
    task = vary(tmp_path / "task", {"task.toml": text + hosts})
    if expected is None:
        with pytest.raises(TaskError, match="no backend filters by host"):
            open_episode(task, online=online)
        return
    episode = open_episode(task, online=online)
    assert episode.sandbox.spec.network == expected
    interfaces = episode.sandbox.exec("ls /sys/class/net 2>/dev/null || tail -n +3 /proc/net/dev").stdout.split()
    if expected == "none":
        assert [name.rstrip(":") for name in interfaces][:1] == ["lo"]
        assert len(episode.sandbox.exec("tail -n +3 /proc/net/dev").stdout.splitlines()) == 1


# --------------------------------------------------------------------------------------------------------- record


def test_record(open_episode: Callable[..., Episode]) -> None:
    episode = open_episode()
    model = ScriptedModel(lambda _: "well")
    offered = episode.pool.openai()
    episode.reply(model, HI, offered)
    episode.step(ToolCall("bash", {"command": HELLO}, "call_1"))
    episode.step(ToolCall("bash", '{"command": ', "call_2"))  # type: ignore[arg-type]  # as a model may write it
    episode.step("It says hello.")
    trajectory = episode.trajectory("by hand", model.name, attempt=3)
    assert (trajectory.scaffold, trajectory.model, trajectory.attempt) == ("by hand", "scripted", 3)
    assert (trajectory.task.name, trajectory.task.suite, trajectory.task.checksum) == ("greet", "tests", GREET.checksum)
    assert trajectory.messages == [*HI, {"role": "assistant", "content": "well"}]
    assert trajectory.tools == offered
    [turn] = trajectory.turns
    assert [step.id for step in turn.steps] == ["call_1", "call_2", ""]
    assert [step.is_error for step in turn.steps] == [False, True, False]
    assert [step.arguments for step in turn.steps][1:] == ['{"command": ', {"answer": "It says hello."}]
    assert trajectory.patch == (
        "diff --git a/greeting.txt b/greeting.txt\n--- a/greeting.txt\n+++ b/greeting.txt\n"
        "@@ -1 +1 @@\n-nothing\n+hello\n"
    )
    assert trajectory.settled
    times = [step.started_at for step in turn.steps]
    assert all(one <= other for one, other in itertools.pairwise([turn.started_at, *times]))
    assert set(trajectory.versions) == {"agentgym", "python"}


def test_time_is_accounted_for(open_episode: Callable[..., Episode]) -> None:
    began = time.monotonic()
    episode = open_episode()
    episode.step(bash("sleep 0.3"))
    episode.step("done")
    episode.close()
    timing = episode.trajectory("-", "-").timing
    wall_s = time.monotonic() - began
    assert timing.agent_s >= 0.3
    assert timing.grading_s > 0
    assert timing.sandbox_s > 0
    assert timing.model_s == 0
    assert sum(timing.model_dump().values()) == pytest.approx(wall_s, abs=0.1)
    assert timing.overhead_s < 0.2


def test_harbors_own_example(open_episode: Callable[..., Episode]) -> None:
    """A folder as Harbor describes one, with none of our keys."""
    episode = open_episode(load_task(TASKS / "harbor-hello"))
    assert episode.step("done").reward == 0.0
    episode = open_episode(load_task(TASKS / "harbor-hello"))
    episode.sandbox.upload(TASKS / "harbor-hello" / "solution", "/solution")
    episode.sandbox.exec(["bash", "/solution/solve.sh"])
    assert episode.step("done").reward == 1.0
