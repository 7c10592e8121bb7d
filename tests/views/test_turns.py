from __future__ import annotations

from datetime import timedelta

from agentgym.call import Call
from agentgym.protocols import Usage
from agentgym.trajectory import StepRecord
from agentgym.views.turns import turns_of
from tests.trajectories import NOON
from tests.views.agents import BASH, TASK_TOOL, Recording, calling, result, saying, system, user, worked


def actions(steps: list[StepRecord]) -> list[tuple[str, object, str, str]]:
    return [(step.name, step.arguments, step.id, step.observation) for step in steps]


def test_a_day_of_work_as_turns() -> None:
    main = turns_of(worked())
    assert [actions(turn.steps) for turn in main.turns] == [
        [("bash", {"command": "ls"}, "a", "parse.py"), ("bash", {"command": "pwd"}, "b", "/app")],
        [("task", {"prompt": "Find where the parser is."}, "c", "In parse.py.")],
        [("bash", "{broken", "d", "not JSON")],
        [],
        [("bash", {"command": "sed -i s/a/b/ parse.py"}, "e", "x" * 100)],
        [("bash", {"command": "pytest"}, "f", "1 passed")],
        [],
    ]
    assert [turn.message["content"] for turn in main.turns][-1] == "Done."
    assert main.turns[0].finish_reason == "tool_calls"
    assert main.turns[0].usage == Usage(20, 5)
    assert main.tools == [BASH, TASK_TOOL]
    assert main.messages[-1] == saying("Done.")
    assert result("e", "[cut]") in main.messages, "as it stood at the end"


def test_results_may_come_in_another_order_and_under_ids_that_repeat() -> None:
    agent = Recording.of(
        calling(("1", "bash", {"n": 0}), ("2", "bash", {"n": 1})), calling(("1", "bash", {"n": 2})), saying("x")
    )
    said = agent.ask([user("Go.")], [BASH])
    said = agent.ask([*said, result("2", "b"), result("1", "a")], [BASH])
    agent.ask([*said, result("1", "c")], [BASH])
    turns = turns_of(agent.calls).turns
    assert [[step.observation for step in turn.steps] for turn in turns] == [["a", "b"], ["c"], []]


def test_a_call_that_was_never_answered_for_has_no_observation() -> None:
    agent = Recording.of(calling(("1", "bash", {})))
    agent.ask([user("Go.")], [BASH])
    [turn] = turns_of(agent.calls).turns
    assert actions(turn.steps) == [("bash", {}, "1", "")]


def test_without_tools_the_text_is_the_action_and_the_next_message_its_observation() -> None:
    agent = Recording.of(saying("<run>ls</run>"), saying("Done."))
    said = agent.ask([system(), user("Fix it.")])
    agent.ask([*said, user("a.py")])
    first, last = turns_of(agent.calls).turns
    assert actions(first.steps) == [("", "<run>ls</run>", "", "a.py")]
    assert last.steps == []


def test_with_tools_a_user_who_goes_on_is_no_observation() -> None:
    agent = Recording.of(saying("Done."), saying("Done too."))
    said = agent.ask([user("Fix it.")], [BASH])
    agent.ask([*said, user("And that.")], [BASH])
    assert [turn.steps for turn in turns_of(agent.calls).turns] == [[], []]


def test_a_step_lasts_from_the_reply_to_the_next_request() -> None:
    asked = calling(("1", "bash", {}))
    calls = [
        Call(messages=[user("Go.")], tools=[BASH], reply=asked, started_at=NOON, duration_s=2.0),
        Call(parent=0, n_kept=2, messages=[result("1", "x")], error="down", started_at=NOON + timedelta(seconds=5)),
    ]
    [turn] = turns_of(calls).turns
    [step] = turn.steps
    assert (turn.started_at, turn.duration_s) == (NOON, 2.0)
    assert (step.started_at, step.duration_s, step.observation) == (NOON + timedelta(seconds=2), 3.0, "x")


def test_nothing_answered_is_nothing() -> None:
    main = turns_of([Call(messages=[user("a")], error="down", started_at=NOON)])
    assert (main.turns, main.messages, main.tools) == ([], [], [])
