"""Small agents of bash and python in real sandboxes: what they asked, what they left, whose doing their end was."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.env import EpisodeConfig
from agentgym.errors import ModelError
from agentgym.models import ScriptedModel
from agentgym.protocols import Backend, Model, StopReason
from agentgym.rollout import Job, rollout
from agentgym.task import Task
from agentgym.trajectory import Trajectory
from scaffolds.external import AgentSpec, ExternalScaffold
from tests.scaffolds.fakes import make_task

DOCKERFILE = "FROM python:3.11-bookworm\nWORKDIR /app\nRUN echo start > log.txt && chmod -R a+rwX /app\n"
GRADE = "mkdir -p /logs/verifier; grep -qx {word} /app/log.txt; echo $((1 - $?)) > /logs/verifier/reward.txt\n"
ASK = """
import json, os, sys, urllib.request
history = os.path.expanduser("~/history.json")
messages = json.load(open(history)) if os.path.exists(history) else []
messages.append({"role": "user", "content": sys.argv[1]})
body = json.dumps({"model": "m", "messages": messages}).encode()
headers = {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["KEY"]}
request = urllib.request.Request(os.environ["BASE_URL"] + "/v1/chat/completions", body, headers)
reply = json.load(urllib.request.urlopen(request))["choices"][0]["message"]
json.dump([*messages, reply], open(history, "w"))
print(reply["content"])
"""


def agent(script: str, **changes: object) -> ExternalScaffold:
    """An agent that runs `script`, in which `ask TEXT` asks the model and $1 is the instruction."""
    head = 'ask() { python3 "$HOME/ask.py" "$1"; }\n'
    command = ("bash", "{home}/run.sh", "{instruction}")
    spec = AgentSpec(
        name="small",
        version="1",
        dialect="chat",
        command=command,
        continue_command=command,
        env={"BASE_URL": "{base_url}", "KEY": "{key}"},
        files={"ask.py": ASK, "run.sh": head + script},
    )
    return ExternalScaffold(spec.model_copy(update=changes))


@pytest.fixture
def task(tmp_path: Path) -> Task:
    config = '[metadata.agentgym]\ngrading = "diff"\n'
    return make(tmp_path / "task", {"": "Append the line hello to log.txt."}, "hello", config=config)


def make(folder: Path, instructions: dict[str, str], *words: str, config: str = "") -> Task:
    task = make_task(folder, solve={}, instructions=instructions, config=config)
    (task.path / "environment" / "Dockerfile").write_text(DOCKERFILE)
    for step, word in zip(task.steps, words, strict=True):
        tests = step.folder / "tests"
        tests.mkdir(exist_ok=True)
        (tests / "test.sh").write_text(GRADE.format(word=word))
    return task


def run(
    task: Task, scaffold: ExternalScaffold, backend: Backend, model: Model | None = None, **limits: float
) -> Trajectory:
    model = model or ScriptedModel(["hello", "again"])
    return rollout(Job(task, scaffold, model), backend, config=EpisodeConfig.model_validate(limits))


def test_an_agent_works_and_is_on_record(task: Task, backend: Backend) -> None:
    trajectory = run(task, agent('ask "$1" >> log.txt; echo done; echo warned >&2'), backend)
    assert (trajectory.stop_reason, trajectory.reward, trajectory.error) == (StopReason.SUBMITTED, 1.0, None)
    assert trajectory.log == "done\nwarned\n"
    assert [message["content"] for message in trajectory.messages] == ["Append the line hello to log.txt.", "hello"]
    [call] = trajectory.calls
    assert call.dialect == "chat"
    assert trajectory.patch is not None
    assert [line for line in trajectory.patch.splitlines() if line.startswith("+++")] == ["+++ b/log.txt"]


@pytest.mark.parametrize(
    ("script", "reward", "said"),
    [
        ("ask x >> log.txt; echo oh no >&2; exit 3", 1.0, "small exited with 3: oh no"),
        ("ask x; kill -SEGV $$", 0.0, "small was ended by signal 11: hello"),
        ("echo hello >> log.txt", 1.0, "small ended without asking its model: it printed nothing"),
        ("exec no-such-program", 0.0, "small exited with 127"),
    ],
)
def test_what_the_program_did_wrong_is_its_own_and_its_work_is_graded(
    script: str, reward: float, said: str, task: Task, backend: Backend
) -> None:
    trajectory = run(task, agent(script), backend)
    assert (trajectory.stop_reason, trajectory.reward) == (StopReason.AGENT_ERROR, reward)
    assert trajectory.error is not None
    assert trajectory.error.owner == "agent"
    assert said in trajectory.error.message
    assert trajectory.settled


def test_an_agent_that_hangs_is_ended_by_the_clock_and_graded(task: Task, backend: Backend) -> None:
    trajectory = run(task, agent("ask x >> log.txt; echo working; sleep 1000"), backend, timeout_s=3.0)
    assert (trajectory.stop_reason, trajectory.reward, trajectory.error) == (StopReason.TIMEOUT, 1.0, None)
    assert trajectory.log == "working\n"
    assert len(trajectory.calls) == 1


def test_a_flood_of_output_is_cut(task: Task, backend: Backend) -> None:
    trajectory = run(task, agent("ask x >> log.txt; echo first; head -c 3000000 /dev/zero | tr '\\0' y"), backend)
    assert (trajectory.stop_reason, trajectory.reward) == (StopReason.SUBMITTED, 1.0)
    assert len(trajectory.log) < 70_000
    assert trajectory.log.startswith("first\nyyy")
    assert "characters left out" in trajectory.log
    assert trajectory.log.endswith("[it printed more than the sandbox keeps; the end is missing]\n")


def test_the_budget_ends_it(task: Task, backend: Backend) -> None:
    script = "ask x >> log.txt; ask y || exit 1"
    trajectory = run(task, agent(script), backend, max_turns=1)
    assert (trajectory.stop_reason, trajectory.reward, trajectory.error) == (StopReason.MAX_TURNS, 1.0, None)


def test_an_agent_that_waits_past_its_budget_is_ended(
    task: Task, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaffolds.external.scaffold.GRACE_S", 0.5)
    trajectory = run(task, agent("ask one >> log.txt; ask two; sleep 300"), backend, max_turns=1)
    assert (trajectory.stop_reason, trajectory.reward, len(trajectory.calls)) == (StopReason.MAX_TURNS, 1.0, 1)
    assert trajectory.timing.agent_s < 60


def test_a_model_that_fails_is_not_the_agents_doing(task: Task, backend: Backend) -> None:
    trajectory = run(task, agent("ask x >> log.txt; ask y || exit 1"), backend, ScriptedModel(["hello"]))
    assert (trajectory.stop_reason, trajectory.reward) == (StopReason.MODEL_ERROR, None)
    assert trajectory.error is not None
    assert trajectory.error.owner == "model"


def test_a_full_window_ends_it_as_that(task: Task, backend: Backend) -> None:
    def overflow(messages: object) -> str:
        error = ModelError("the prompt has 9 tokens, the window 8")
        error.context_overflow = True
        raise error

    trajectory = run(task, agent("ask x || exit 1"), backend, ScriptedModel(overflow))
    assert (trajectory.stop_reason, trajectory.reward, trajectory.error) == (StopReason.CONTEXT_OVERFLOW, 0.0, None)


def test_the_next_step_goes_on_with_the_conversation(tmp_path: Path, backend: Backend) -> None:
    task = make(tmp_path / "task", {"one": "Say hello.", "two": "Say it again."}, "hello", "again")
    trajectory = run(task, agent('ask "$1" >> log.txt'), backend)
    assert trajectory.outcome is not None
    assert trajectory.outcome.step_rewards == [1.0, 1.0]
    contents = [message["content"] for message in trajectory.messages]
    assert contents == ["Say hello.", "hello", "Say it again.", "again"]
    assert [call.drift for call in trajectory.calls] == ["root", "clean"]


def test_an_agent_that_cannot_go_on_says_so(tmp_path: Path, backend: Backend) -> None:
    task = make(tmp_path / "task", {"one": "Say hello.", "two": "Say it again."}, "hello", "again")
    trajectory = run(task, agent('ask "$1" >> log.txt', continue_command=()), backend)
    assert trajectory.stop_reason is StopReason.AGENT_ERROR
    assert trajectory.error is not None
    assert "no continue_command" in trajectory.error.message


@pytest.mark.parametrize("way", ["argument", "stdin", "file"])
def test_an_instruction_is_never_shell(way: str, tmp_path: Path, backend: Backend) -> None:
    nasty = '\'; touch /app/pwned; "$(touch /app/pwned)" `touch /app/pwned` {key} $HOME \\ \n--help\n'
    task = make(tmp_path / "task", {"": nasty}, "hello")
    scripts = {"argument": 'ask "$1"', "stdin": 'ask "$(cat; echo .)"', "file": 'ask "$(cat $HOME/todo; echo .)"'}
    scaffold = agent(scripts[way] + " >> log.txt; ls /app")
    files = {**scaffold.spec.files, "todo": "{instruction}"}
    scaffold = ExternalScaffold(scaffold.spec.model_copy(update={"stdin": "{instruction}", "files": files}))
    trajectory = run(task, scaffold, backend)
    [call] = trajectory.calls
    assert call.messages[0]["content"] == nasty + ("." if way != "argument" else "")
    assert trajectory.log == "log.txt\n"


def test_the_agent_runs_as_the_tasks_user_and_owns_its_home(tmp_path: Path, backend: Backend) -> None:
    task = make(tmp_path / "task", {"": "Say hello."}, "hello", config='[agent]\nuser = "nobody"\n')
    trajectory = run(task, agent("ask x >> log.txt; id -un; touch ~/mine && stat -c %U ~ ~/run.sh ~/mine"), backend)
    assert trajectory.log.split() == ["nobody"] * 4
    assert (trajectory.stop_reason, trajectory.reward) == (StopReason.SUBMITTED, 1.0)
