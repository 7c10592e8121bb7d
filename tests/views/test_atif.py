"""What we write keeps the format's rules, says all that the format can say, and comes back."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.call import Call
from agentgym.errors import SandboxLost
from agentgym.protocols import Message, StopReason
from agentgym.store import TrajectoryStore
from agentgym.trajectory import Failure, Outcome, StepRecord, Trajectory, Turn
from agentgym.views.atif import to_atif
from agentgym.views.atif_reading import from_atif
from agentgym.views.atif_schema import Document, problems
from agentgym.views.samples import samples
from agentgym.views.turns import turns_of
from tests.require import unavailable
from tests.trajectories import NOON, make_trajectory
from tests.views.agents import BASH, TASK_TOOL, Recording, calling, result, saying, system, user, worked

GOLDEN = Path(__file__).parent.parent / "golden"


def recorded(calls: list[Call], **values: Any) -> Trajectory:
    """As a rollout of a black-box agent leaves it."""
    main = turns_of(calls)
    return make_trajectory(calls=calls, turns=main.turns, messages=main.messages, tools=main.tools, **values)


def through_json(document: Document) -> Document:
    data = json.loads(json.dumps(document.as_json(), allow_nan=False))
    assert problems(data) == []
    return Document.model_validate(data)


def assert_comes_back(trajectory: Trajectory) -> Trajectory:
    again = from_atif(through_json(to_atif(trajectory)))
    assert again.messages == trajectory.messages
    assert again.turns == trajectory.turns
    lost = {"messages", "turns", "calls"}
    assert again.model_dump(exclude=lost) == trajectory.model_dump(exclude=lost)
    return again


def test_a_day_of_work_as_a_document() -> None:
    trajectory = recorded(worked(), id="t", versions={"agentgym": "0.1"})
    document = to_atif(trajectory)
    assert [(step.source, step.is_copied_context or False) for step in document.steps] == [
        ("system", False), ("user", False), ("agent", False), ("agent", False), ("agent", False), ("user", False), ("agent", False),
        ("system", True), ("user", False), ("agent", False), ("agent", False),
        ("system", True), ("user", True), ("agent", True), ("agent", False), ("agent", False),
    ]  # fmt: skip
    assert document.steps[0].message == "Work."
    assert document.agent.tool_definitions == [BASH, TASK_TOOL]
    first = document.steps[2]
    assert (first.message, first.reasoning_content, first.timestamp is None) == ("Look.", "hm", False)
    assert [(call.tool_call_id, call.function_name, call.arguments) for call in first.tool_calls or ()] == [
        ("a", "bash", {"command": "ls"}),
        ("b", "bash", {"command": "pwd"}),
    ]
    assert [(one.source_call_id, one.content) for one in first.results] == [("a", "parse.py"), ("b", "/app")]
    assert first.llm_call_count == 1
    assert document.extra is not None
    assert document.extra["reward"] == 1.0


def test_subagents_are_embedded_and_found_by_the_prompt_that_started_them() -> None:
    document = to_atif(recorded(worked(), id="t"))
    title, helper = document.subagent_trajectories or ()
    assert (title.trajectory_id, helper.trajectory_id) == ("t/0", "t/4")
    assert helper.steps[0].message == "Help."
    assert helper.agent.tool_definitions == [BASH]
    refs = {
        result.source_call_id: [ref.trajectory_id for ref in result.subagent_trajectory_ref or ()]
        for step in document.steps
        for result in step.results
        if result.subagent_trajectory_ref
    }
    assert refs == {"c": ["t/4"]}


def test_a_day_of_work_comes_back() -> None:
    calls = worked()
    again = assert_comes_back(recorded(calls))
    assert [call.reply for call in again.calls] == [call.reply for call in calls], "in the order they ended"
    assert [call.usage for call in again.calls] == [call.usage for call in calls]


def test_tokens_are_metrics_and_come_back_as_training_samples() -> None:
    calls = worked(tokens=True)
    document = through_json(to_atif(recorded(calls)))
    metrics = next(step.metrics for step in document.steps if step.metrics)
    tokens = calls[1].tokens
    assert tokens is not None
    assert metrics.completion_token_ids == tokens.sampled
    assert metrics.logprobs == tokens.logprobs
    assert metrics.prompt_token_ids == tokens.prompt
    assert metrics.prompt_tokens == len(tokens.prompt)
    again = from_atif(document).calls
    total = sum(len(call.tokens.sampled) for call in calls if call.tokens)
    assert sum(sum(sample.loss_mask) for sample in samples(again)) == total
    assert [call.tokens and (call.tokens.sampled, call.tokens.logprobs, call.tokens.versions, call.tokens.texts) for call in again] == [
        call.tokens and (call.tokens.sampled, call.tokens.logprobs, call.tokens.versions, call.tokens.texts) for call in calls
    ]  # fmt: skip


def test_actions_read_out_of_text_are_tool_calls_and_come_back_as_text() -> None:
    trajectory = make_trajectory("```bash\nls\n```", "```bash\ncat a\n```")
    document = to_atif(trajectory)
    step = document.steps[2]
    assert [(call.function_name, call.arguments) for call in step.tool_calls or ()] == [
        ("bash", {"command": "```bash\nls\n```"})
    ]
    assert [result.content for result in step.results] == ["seen 0"]
    assert_comes_back(trajectory)


def test_observations_that_nobody_was_sent_are_no_messages() -> None:
    trajectory = make_trajectory("ls", "submit")
    trajectory = trajectory.model_copy(update={"messages": trajectory.messages[:-1]})
    assert [result.content for result in to_atif(trajectory).steps[-1].results] == ["seen 1"]
    assert_comes_back(trajectory)


def test_steps_without_a_model_are_dispatched() -> None:
    step = StepRecord(
        name="bash", arguments={"command": "ls"}, observation="a", is_error=True, started_at=NOON, duration_s=1.5
    )
    turn = Turn(message={"role": "assistant", "content": None}, started_at=NOON, duration_s=0.0, steps=[step])
    trajectory = make_trajectory(messages=[], turns=[turn], model="none")
    [one] = to_atif(trajectory).steps
    assert (one.llm_call_count, one.metrics, one.tool_calls is None) == (0, None, False)
    assert assert_comes_back(trajectory).calls == []


def test_an_episode_that_never_began_has_a_step_that_says_so() -> None:
    error = Failure.of(SandboxLost("the sandbox is gone"))
    trajectory = make_trajectory(messages=[], stop_reason=StopReason.SANDBOX_LOST, outcome=None, error=error)
    assert [step.message for step in to_atif(trajectory).steps] == ["the sandbox is gone"]
    assert_comes_back(trajectory)


def test_odd_messages_come_back_as_they_were() -> None:
    trajectory = recorded(
        [
            Call(
                messages=[
                    {"role": "developer", "content": "Mind."},
                    {"role": "user", "content": [{"type": "text", "text": "Go."}]},
                    result("nobody", "asked"),
                    saying("put into its mouth"),
                    {"role": "user", "content": "half \ud83d pair", "name": "me"},
                ],  # type: ignore[list-item]
                reply={"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "index": 0, "function": {"name": "f", "arguments": '{"a":NaN}'}}]},  # type: ignore[typeddict-item]
                tools=[BASH],
                started_at=NOON,
            )
        ],
        outcome=Outcome(reward=None),
    )  # fmt: skip
    again = from_atif(through_json(to_atif(trajectory)))
    assert again.messages == trajectory.messages


def test_a_turn_stays_with_its_call_where_another_conversation_says_the_same() -> None:
    agent = Recording.of(saying(""), saying(""), saying(""))
    agent.ask([system("a"), user("")], [BASH])
    main = agent.ask([system("b"), user("")], [])
    agent.ask([*main, user("")], [BASH])
    assert_comes_back(recorded(agent.calls))


TEXTS = st.text(max_size=3)
ARGUMENTS = st.one_of(
    TEXTS, st.dictionaries(TEXTS, st.one_of(st.integers(), TEXTS, st.none()), max_size=2).map(json.dumps)
)
REPLIES = st.one_of(
    TEXTS.map(saying),
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["bash", "task"]), ARGUMENTS), min_size=1, max_size=3
    ).flatmap(lambda asked: st.one_of(st.none(), TEXTS).map(lambda text: calling(*asked, text=text))),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Call]:
    """Agents that go on, begin anew, cut their history or write into it, with results for some calls and in any order."""
    replies = draw(st.lists(REPLIES, min_size=1, max_size=8))
    agent = Recording.of(*replies)
    said: list[list[Message]] = []
    for _ in replies:
        new: list[Message] = [user(text) for text in draw(st.lists(TEXTS, min_size=1, max_size=2))]
        before = draw(st.sampled_from(said)) if said and draw(st.booleans()) else [system(draw(st.sampled_from("ab")))]
        before = before[: draw(st.sampled_from([len(before), len(before), max(1, len(before) - 2)]))]
        asked = [call["id"] for call in before[-1].get("tool_calls", ())]
        answers = draw(st.permutations(asked))[: draw(st.integers(0, len(asked)))]
        new = [*(result(id, draw(TEXTS)) for id in answers), *(new if not answers or draw(st.booleans()) else [])]
        said.append(agent.ask([*before, *new], draw(st.sampled_from([[BASH], [BASH], []]))))
    return agent.calls


@given(histories())
@settings(deadline=None)
def test_any_history_keeps_the_rules_and_comes_back(calls: list[Call]) -> None:
    trajectory = recorded(calls)
    again = assert_comes_back(trajectory)
    replies = sorted(json.dumps(call.reply, sort_keys=True) for call in calls)
    assert sorted(json.dumps(call.reply, sort_keys=True) for call in again.calls) == replies, "each reply once"


def recordings() -> list[Trajectory]:
    paths = [*GOLDEN.glob("*.jsonl"), *GOLDEN.glob("agents/*.jsonl")]
    return [t for path in sorted(paths) if not path.name.endswith(".calls.jsonl") for t in TrajectoryStore(path)]


@pytest.mark.parametrize("trajectory", recordings(), ids=lambda trajectory: f"{trajectory.scaffold}-{trajectory.id}")
def test_recordings_of_agents_come_back(trajectory: Trajectory) -> None:
    again = assert_comes_back(trajectory)
    if trajectory.calls:
        answered = [call.reply for call in trajectory.calls if call.reply is not None]
        assert [call.reply for call in again.calls] == answered


def test_another_producers_document_is_read() -> None:
    data = {
        "schema_version": "ATIF-v1.7",
        "session_id": "run-1",
        "agent": {"name": "other", "version": "2", "model_name": "big"},
        "steps": [
            {"step_id": 1, "source": "user", "message": "Time?"},
            {
                "step_id": 2,
                "source": "agent",
                "message": "",
                "timestamp": "2026-01-02T12:00:00Z",
                "tool_calls": [{"tool_call_id": "1", "function_name": "now", "arguments": {}}],
                "observation": {"results": [{"source_call_id": "1", "content": "noon"}]},
                "metrics": {"prompt_tokens": 7, "completion_tokens": 3},
            },
        ],
    }
    assert problems(data) == []
    read = from_atif(Document.model_validate(data))
    assert (read.id, read.scaffold, read.model) == ("run-1", "other", "big")
    assert read.messages == [user("Time?"), calling(("1", "now", {})), result("1", "noon")]
    [turn] = read.turns
    assert (turn.usage.prompt_tokens, turn.steps[0].name, turn.steps[0].observation) == (7, "now", "noon")


def test_another_implementation_of_the_format_agrees() -> None:
    if importlib.util.find_spec("atif") is None:
        unavailable("atif", "not installed: pip install 'atif>=1.8,<2'")
    import atif

    for trajectory in (recorded(worked()), recorded(worked(tokens=True)), make_trajectory("ls", "submit")):
        data = to_atif(trajectory).as_json()
        theirs = atif.Trajectory.model_validate(data)
        assert theirs.to_json_dict(exclude_none=True) == data
