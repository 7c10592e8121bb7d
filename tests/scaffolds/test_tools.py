"""The tools scaffold in real episodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.env import EpisodeConfig
from agentgym.protocols import Backend, Message, Reply, StopReason, ToolCall
from agentgym.rollout import Job, rollout
from agentgym.store import TrajectoryStore
from agentgym.task import load_task
from agentgym.tools import ToolPool
from agentgym.trajectory import Trajectory
from scaffolds import ToolsScaffold
from scaffolds.calls import find_problem, read_call
from tests.scaffolds.speakers import SUBMIT, Speaker, bash, call, say, text_of
from tests.tasks import TASKS

GREET = load_task(TASKS / "greet")


def run(backend: Backend, *lines: Reply, **options: object) -> tuple[Trajectory, Speaker]:
    model = Speaker(lines)
    return rollout(Job(GREET, ToolsScaffold(), model), backend, **options), model  # type: ignore[arg-type]


def test_it_solves_a_task(backend: Backend, tmp_path: Path) -> None:
    trajectory, model = run(
        backend,
        call(("read_file", {"path": "greeting.txt"}), reasoning="first I look"),
        call(("write_file", {"path": "greeting.txt", "content": "hello\n"}), content="Now I write."),
        SUBMIT,
    )
    assert (trajectory.stop_reason, trajectory.reward, trajectory.error) == (StopReason.SUBMITTED, 1.0, None)
    assert [[step.name for step in turn.steps] for turn in trajectory.turns] == [
        ["read_file"],
        ["write_file"],
        ["submit"],
    ]
    system, user, looked, read = model.prompts[1]
    assert GREET.instruction.strip() in text_of(user)
    assert "`/app`" in text_of(user)
    assert "call `submit`" in text_of(user)
    assert "$" not in text_of(system) + text_of(user)
    assert looked == call(("read_file", {"path": "greeting.txt"}), reasoning="first I look").message
    assert (read["role"], read["tool_call_id"]) == ("tool", "c0")
    assert "nothing" in text_of(read)
    assert model.prompts[2][: len(model.prompts[1])] == model.prompts[1]  # nothing is rewritten
    assert trajectory.tools == model.tools[0] == ToolPool.default().openai()
    store = TrajectoryStore(tmp_path / "runs.jsonl")
    store.append(trajectory)
    assert list(store) == [trajectory]


def test_parallel_calls_run_in_order_and_each_is_answered(backend: Backend) -> None:
    trajectory, model = run(
        backend,
        call(("bash", {"command": "echo one > a"}), ("bash", {"command": "cat a"}), ("bash", {"command": "nope"})),
        call(("bash", {"command": "echo hello > greeting.txt"}), ("submit", {}), ("bash", {"command": "rm *"})),
    )
    answers = model.prompts[1][3:]
    assert [(answer["role"], answer["tool_call_id"]) for answer in answers] == [("tool", f"c{n}") for n in range(3)]
    assert text_of(answers[1]) == "one"
    assert "[exit code 127]" in text_of(answers[2])
    # what follows a submission is not run
    assert [step.name for step in trajectory.turns[1].steps] == ["bash", "submit"]
    assert trajectory.reward == 1.0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (call(("bahs", {"command": "ls"})), 'no tool `bahs` (nearest known tool: "bash")'),
        (call(("bash", '{"command": "ls')), "The arguments are not JSON"),
        (call(("bash", "[1]")), "must be a JSON object"),
        (
            say('Let me.\n<tool_call>\n{"name": "bash", "arguments": {"command": "ls}}\n</tool_call>'),
            "could not be read",
        ),
        (say("<minimax:tool_call>\n<invoke name=bash", "length"), "could not be read. It was cut off"),
        (say("I would now first of all", "length"), "cut off at the length limit"),
        (say(None), "Your reply was empty"),
        (say("<think>so\n<tool_call>\n</think>\n"), "Your reply was empty"),
    ],
)
def test_a_malformed_call_is_explained_and_forgiven(backend: Backend, line: Reply, said: str) -> None:
    fix = bash("echo hello > greeting.txt")
    trajectory, model = run(backend, line, line, fix, line, line, SUBMIT)
    assert (trajectory.stop_reason, trajectory.reward) == (StopReason.SUBMITTED, 1.0)
    answer = model.prompts[1][-1]
    assert answer["role"] == ("tool" if "tool_calls" in line.message else "user")
    assert said in text_of(answer)
    [step] = trajectory.turns[0].steps
    assert (step.is_error, step.observation) == (True, answer["content"])


def test_three_malformed_replies_in_a_row_end_the_episode(backend: Backend) -> None:
    wrong = call(("bash", "{"), ("unknown", {}))
    trajectory, model = run(backend, bash("ls"), wrong, say(None), wrong, SUBMIT)
    assert (trajectory.stop_reason, trajectory.reward) == (StopReason.PARSE_ERROR, 0.0)
    assert len(model.prompts) == 4


def test_a_readable_call_among_malformed_ones_is_run(backend: Backend) -> None:
    broken = "\n<tool_call>\n{"
    mixed = call(("bash", {"command": "echo hello > greeting.txt"}), ("bash", "{"), content=broken)
    trajectory, model = run(backend, mixed, mixed, mixed, mixed, SUBMIT)
    assert trajectory.reward == 1.0
    first, second, third = model.prompts[1][3:]
    assert text_of(first) == "[no output]"
    assert "not JSON" in text_of(second)
    assert third["role"] == "user"
    assert "could not be read" in text_of(third)


def test_the_second_text_in_a_row_is_the_final_answer(backend: Backend) -> None:
    trajectory, model = run(
        backend, say("Shall I?"), bash("echo hello > greeting.txt"), say("Done."), say("Done, I say.")
    )
    assert (trajectory.stop_reason, trajectory.reward) == (StopReason.SUBMITTED, 1.0)
    assert "calls no tool" in text_of(model.prompts[1][-1])
    assert "call `submit`" in text_of(model.prompts[1][-1])
    assert trajectory.turns[-1].steps[-1].arguments == {"answer": "Done, I say."}


def test_where_there_is_no_submit_nobody_is_told_to_call_it(backend: Backend) -> None:
    lines = say("Done."), say("Done.")
    trajectory, model = run(backend, *lines, pool=ToolPool.default().without("submit"))
    assert trajectory.stop_reason == StopReason.SUBMITTED
    assert "submit`" not in "".join(text_of(message) for message in model.prompts[1])
    assert "without a tool call" in text_of(model.prompts[0][-1])


def test_limits_are_the_episodes(backend: Backend) -> None:
    trajectory, _ = run(backend, *[bash("ls")] * 5, config=EpisodeConfig(max_turns=2))
    assert (trajectory.stop_reason, len(trajectory.turns)) == (StopReason.MAX_TURNS, 2)


def test_a_task_of_several_steps_goes_on_after_a_submission(backend: Backend) -> None:
    climb = load_task(TASKS / "climb")
    lines = [
        call(("bash", {"command": "echo one >> log.txt"}), ("submit", {})),
        call(("bash", {"command": "echo two >> log.txt"}), ("submit", {})),
        bash("echo three >> log.txt"),
        say("All is said."),
        say("All is said."),
    ]
    model = Speaker(lines)
    trajectory = rollout(Job(climb, ToolsScaffold(), model), backend)
    assert (trajectory.stop_reason, trajectory.reward) == (StopReason.SUBMITTED, 1.0)
    assert climb.steps[0].instruction.strip() in text_of(model.prompts[0][1])
    assert model.prompts[1][-2:] == [
        {"role": "tool", "content": "The work is handed in.", "tool_call_id": "c1"},
        {"role": "user", "content": climb.steps[1].instruction},
    ]


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": 1e999}', '{"a": ' + "[" * 300 + "]" * 300 + "}", "[" * 99_999])
def test_arguments_that_cannot_be_recorded_as_an_object_stay_text(backend: Backend, tmp_path: Path, text: str) -> None:
    trajectory, _ = run(backend, call(("bash", text)), SUBMIT)
    assert trajectory.turns[0].steps[0].arguments == text
    store = TrajectoryStore(tmp_path / "runs.jsonl")
    store.append(trajectory)
    assert list(store) == [trajectory]


def test_no_arguments_are_an_empty_object() -> None:
    for text in ("", " ", "{}"):
        asked = call(("submit", text)).message["tool_calls"][0]
        assert read_call(asked) == ToolCall("submit", {}, "c0")


@pytest.mark.parametrize(
    "text",
    ["The parser looks for `<tool_call>` and strips it.", "Done.", "<think>\n<tool_call>?\n</think>\nDone."],
)
def test_text_that_speaks_of_calls_is_no_call(text: str) -> None:
    message: Message = {"role": "assistant", "content": text}
    assert find_problem(Reply(message)) == ""
