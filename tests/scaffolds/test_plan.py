"""The plan scaffold in real episodes: what it remembers, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentgym.env import Episode
from agentgym.protocols import Backend, Message, Reply, StopReason, Tool
from agentgym.rollout import Job, rollout
from agentgym.store import TrajectoryStore
from agentgym.task import Task, load_task
from agentgym.tools import ToolPool
from agentgym.trajectory import Trajectory
from scaffolds import PlanScaffold
from tests.scaffolds.speakers import SUBMIT, Speaker, bash, call, say, text_of
from tests.tasks import TASKS, vary

GREET = load_task(TASKS / "greet")
WINDOW_TOKENS = 6000
PLAN = {"items": [{"text": "Look", "status": "done"}, {"text": "Write", "status": "in_progress"}]}
REMEMBER = call(("plan", PLAN), ("note", {"text": "the word is hello"}))
CHATTER = bash("seq 1000; echo the end")
"""About a fifth of the window."""
WORK = bash("echo hello > greeting.txt")
SUMMARY = say("I looked around and found the numbers.")


@pytest.fixture
def ruled(tmp_path: Path) -> Task:
    """A repository with rules and a skill."""
    dockerfile = (TASKS / "greet" / "environment" / "Dockerfile").read_text()
    skill = "---\\nname: greeting\\ndescription: How to greet.\\n---\\nSay hello.\\n"
    more = (
        "RUN echo 'Never shout.' > AGENTS.md && mkdir -p .agents/skills/g && "
        f"printf -- '{skill}' > .agents/skills/g/SKILL.md\n"
    )
    return vary(tmp_path / "task", {"environment/Dockerfile": dockerfile + more})


def speaker(*lines: Reply) -> Speaker:
    return Speaker(lines, window_tokens=WINDOW_TOKENS, chars_per_token=4)


def run(task: Task, backend: Backend, model: Speaker, **options: object) -> Trajectory:
    return rollout(Job(task, PlanScaffold(**options), model), backend)  # type: ignore[arg-type]


def steps(trajectory: Trajectory) -> list[list[str]]:
    return [[step.name for step in turn.steps] for turn in trajectory.turns]


def test_it_solves_a_task_and_leaves_nothing_in_the_patch(ruled: Task, backend: Backend) -> None:
    model = speaker(REMEMBER, call(("skill", {"name": "greeting"}), reasoning="how?"), WORK, SUBMIT)
    trajectory = run(ruled, backend, model)
    assert (trajectory.stop_reason, trajectory.reward, trajectory.error) == (StopReason.SUBMITTED, 1.0, None)
    assert steps(trajectory) == [["plan", "note"], ["skill"], ["bash"], ["submit"]]
    assert [step.observation for step in trajectory.turns[0].steps] == ["[x] Look\n[>] Write", "Noted."]
    assert "Say hello." in text_of(model.prompts[2][-1])
    assert model.prompts[2][-2]["reasoning_content"] == "how?"
    assert trajectory.patch is not None
    assert [line for line in trajectory.patch.splitlines() if line.startswith("+++")] == ["+++ b/greeting.txt"]


def test_rules_and_skills_are_told_at_the_start(ruled: Task, backend: Backend) -> None:
    model = speaker(SUBMIT)
    trajectory = run(ruled, backend, model)
    [[system, user]] = model.prompts
    assert ruled.instruction.strip() in text_of(user)
    assert '<rules file="/app/AGENTS.md">\nNever shout.\n</rules>' in text_of(user)
    assert "$" not in text_of(system) + text_of(user)
    offered = {tool["function"]["name"]: tool["function"]["description"] for tool in trajectory.tools}
    assert list(offered) == [*ToolPool.default(), "plan", "note", "skill"]
    assert "- greeting: How to greet." in offered["skill"]


def test_where_there_are_none_nothing_is_said_of_them(backend: Backend) -> None:
    model = speaker(SUBMIT)
    run(GREET, backend, model)
    assert "# Rules" not in text_of(model.prompts[0][1])
    assert "skill" not in [tool["function"]["name"] for tool in model.tools[0]]


def test_a_full_window_is_compacted_and_nothing_is_forgotten(ruled: Task, backend: Backend, tmp_path: Path) -> None:
    model = speaker(REMEMBER, CHATTER, CHATTER, CHATTER, CHATTER, SUMMARY, WORK, SUBMIT)
    trajectory = run(ruled, backend, model)
    assert (trajectory.stop_reason, trajectory.reward) == (StopReason.SUBMITTED, 1.0)
    assert steps(trajectory)[4:] == [["bash"], ["compact"], ["bash"], ["submit"]]

    before, asked, after = model.prompts[4:7]
    # the model is asked after what it had read anyway, with the same tools
    assert asked[:-1] == before[: len(asked) - 1]
    assert "Sum up" in text_of(asked[-1])
    assert model.tools[5] == model.tools[4]

    system, user, *kept = after
    assert system == before[0]
    assert text_of(user).startswith(text_of(before[1]))  # the task and the rules
    for told in ("Never shout.", "[x] Look\n[>] Write", "- the word is hello", text_of(SUMMARY.message)):
        assert text_of(user).count(told) == 1
    assert kept[0] == CHATTER.message
    assert [message["role"] for message in kept] == ["assistant", "tool"]
    assert text_of(kept[1]).endswith("the end")

    turn = trajectory.turns[5]
    [step] = turn.steps
    assert turn.message == SUMMARY.message
    assert step.arguments == {"first_message": 2, "n_messages": len(asked) - 3}
    assert text_of(user).endswith(step.observation)
    assert len(after) == len(before) + 2 - (len(asked) - 3)
    # as the gateway saw it: the question goes on from what was read, and what follows does not
    asking, following = trajectory.calls[5:7]
    assert asking.parent is not None
    assert (asking.drift, asking.n_kept, following.drift) == ("clean", len(asked) - 2, "forked")
    store = TrajectoryStore(tmp_path / "runs.jsonl")
    store.append(trajectory)
    assert list(store) == [trajectory]


def test_it_is_compacted_as_often_as_need_be(backend: Backend) -> None:
    rest = [CHATTER, CHATTER, CHATTER, SUMMARY] * 3
    model = speaker(REMEMBER, CHATTER, *rest, WORK, SUBMIT)
    trajectory = run(GREET, backend, model)
    assert trajectory.reward == 1.0
    assert [number for number, names in enumerate(steps(trajectory)) if names == ["compact"]] == [5, 9, 13]
    for prompt in model.prompts:
        assert sum(len(text_of(message)) for message in prompt if message["content"]) // 4 < WINDOW_TOKENS
    # the last summary holds, the one before is summed up in it
    told = text_of(model.prompts[-1][1])
    assert (told.count("# What happened so far"), told.count("- the word is hello")) == (1, 1)


@pytest.mark.parametrize("line", [say(None), call(("bash", {"command": "rm -r /app"})), say("<think>hm</think>  ")])
def test_a_model_that_gives_no_summary_goes_on_without(backend: Backend, line: Reply) -> None:
    model = speaker(REMEMBER, *[CHATTER] * 4, line, WORK, SUBMIT)
    trajectory = run(GREET, backend, model)
    assert trajectory.reward == 1.0
    assert steps(trajectory)[5] == ["compact"]  # and what it called is not run
    assert "(You gave none.)" in text_of(model.prompts[6][1])
    assert "- the word is hello" in text_of(model.prompts[6][1])


def test_the_step_that_is_due_is_the_instruction_after_compaction(backend: Backend) -> None:
    climb = load_task(TASKS / "climb")
    one = call(("bash", {"command": "echo one >> log.txt"}), ("submit", {}))
    model = speaker(one, *[CHATTER] * 4, SUMMARY, SUBMIT)
    trajectory = run(climb, backend, model)
    assert steps(trajectory)[5] == ["compact"]
    told = text_of(model.prompts[6][1])
    assert climb.steps[1].instruction.strip() in told
    assert climb.steps[0].instruction.strip() not in told


def test_a_model_that_tells_no_window_gets_the_scaffolds(backend: Backend) -> None:
    lines = [REMEMBER, *[CHATTER] * 4, SUMMARY, WORK, SUBMIT]
    model = Speaker(lines)  # and counts no tokens
    trajectory = run(GREET, backend, model, window_tokens=WINDOW_TOKENS)
    assert (trajectory.reward, steps(trajectory)[5]) == (1.0, ["compact"])
    roomy = run(GREET, backend, Speaker([*lines[:5], WORK, SUBMIT]))
    assert ["compact"] not in steps(roomy)


class Everything:
    """A window without end."""

    def __init__(self, window_tokens: int) -> None:
        self.messages: list[Message] = []

    def open(self, opening: list[Message]) -> None:
        self.messages = opening

    def add(self, reply: Reply, answers: list[Message]) -> None:
        self.messages += [reply.message, *answers]

    def outgrown(self) -> range:
        return range(0)


class Motto:
    """A memory of one line."""

    tools: tuple[Tool, ...] = ()

    def __init__(self, episode: Episode) -> None:
        self._line = f"Remember {episode.task.name}."

    def recall(self) -> str:
        return self._line


def test_each_part_can_be_replaced(backend: Backend) -> None:
    model = speaker(*[CHATTER] * 8, SUBMIT)
    trajectory = run(GREET, backend, model, working=Everything, memories=[Motto])
    assert trajectory.stop_reason == StopReason.SUBMITTED
    assert [tool["function"]["name"] for tool in trajectory.tools] == list(ToolPool.default())
    assert text_of(model.prompts[0][1]).endswith(f"Remember {GREET.name}.")
    assert len(model.prompts[-1]) == 2 + 2 * 8


Hostile = Callable[[str], Task]


@pytest.fixture
def hostile(tmp_path: Path) -> Hostile:
    dockerfile = (TASKS / "greet" / "environment" / "Dockerfile").read_text()
    return lambda script: vary(tmp_path / "task", {"environment/Dockerfile": f"{dockerfile}RUN {script}\n"})


@pytest.mark.parametrize(
    "script",
    [
        "ln -s /etc/passwd AGENTS.md",
        "yes shout | head -c 10000000 > AGENTS.md",
        "cp /bin/ls AGENTS.md",
        "mkdir -p .claude/skills/x && ln -s /etc/passwd .claude/skills/x/SKILL.md",
        "mkdir -p .claude/skills/x && yes shout | head -c 10000000 > .claude/skills/x/SKILL.md",
        "mkfifo AGENTS.md",
    ],
)
def test_a_hostile_repository_does_no_harm(hostile: Hostile, backend: Backend, script: str) -> None:
    model = Speaker([WORK, SUBMIT])
    trajectory = run(hostile(script), backend, model)
    assert (trajectory.reward, trajectory.error) == (1.0, None)
    said = "".join(text_of(message) for message in model.prompts[0]) + str(model.tools[0])
    assert "root:" not in said
    assert len(said) < 60_000
