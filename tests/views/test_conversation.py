from __future__ import annotations

from agentgym.call import Call
from agentgym.views.conversation import branches, conversation, conversations, main_line, offered_tools
from tests.trajectories import NOON, make_trajectory
from tests.views.agents import BASH, TASK_TOOL, Recording, calling, result, saying, system, user, worked


def test_a_conversation_is_put_together_through_its_parents() -> None:
    agent = Recording.of(saying("one"), saying("two"), saying("three"))
    first = agent.ask([system(), user("a")])
    whole = agent.ask([*first, user("b")])
    other = agent.ask([system(), user("c")])
    assert conversation(agent.calls, 1) == whole
    assert conversation(agent.calls, 0) == first
    assert conversation(agent.calls, 2) == other
    assert agent.calls[2].n_kept == 1, "the system prompt is kept once"


def test_a_day_of_work_falls_into_its_conversations() -> None:
    calls = worked()
    found = branches(calls)
    assert [branch.end for branch in found] == [0, 4, 6, 8, 9]
    assert [branch.replies for branch in found] == [[0], [3, 4], [1, 2, 5, 6], [7, 8], [7, 9]]
    assert [branch.end for branch in main_line(found)] == [6, 8, 9], "compacted, then edited"
    assert found[1].tools == [BASH]
    assert offered_tools(calls, 8) == [BASH, TASK_TOOL], "as its parent had them"


def test_the_tools_tell_the_main_conversation_from_a_longer_one() -> None:
    agent = Recording.of(*(saying(f"{n}") for n in range(5)))
    talk = [system("Chat."), user("hello")]
    for n in range(3):
        talk = [*agent.ask(talk), user(f"more {n}")]
    agent.ask([*agent.ask([system(), user("Fix it.")], [BASH]), user("go on")], [BASH])
    assert [branch.end for branch in main_line(branches(agent.calls))] == [4]


def test_a_subagent_with_the_same_prompt_and_tools_is_not_the_main_line() -> None:
    """It began after the main conversation and ended before it."""
    agent = Recording.of(calling(("a", "bash", {})), saying("sub"), saying("done"))
    main = agent.ask([system(), user("Fix it.")], [BASH])
    agent.ask([system(), user("Look there.")], [BASH])
    agent.ask([*main, result("a", "sub")], [BASH])
    assert [branch.end for branch in main_line(branches(agent.calls))] == [2]


def test_an_agent_that_is_started_again_goes_on_though_its_system_prompt_changed() -> None:
    agent = Recording.of(
        calling(("a", "bash", {})), saying("Done."), calling(("b", "bash", {})), saying("Done."), saying("Other."),
    )  # fmt: skip
    said = agent.ask([system("At commit 1."), user("Fix it.")], [BASH])
    said = agent.ask([*said, result("a", "x")], [BASH])
    again = agent.ask([system("At commit 2."), *said[1:], user("Once more.")], [BASH])
    agent.ask([*again, result("b", "x")], [BASH])
    agent.ask([system("Another agent."), user("Fix it.")], [BASH])
    assert [branch.end for branch in main_line(branches(agent.calls))] == [1, 3]


def test_what_was_never_answered_is_in_no_conversation() -> None:
    failed = Call(messages=[user("a")], error="the server is down", started_at=NOON)
    assert branches([failed]) == []
    assert main_line([]) == []
    assert conversation([failed], 0) == [user("a")]


def test_turns_without_calls_are_read_as_calls() -> None:
    trajectory = make_trajectory("ls", "cat a")
    found = conversations(trajectory)
    [branch] = found.line
    assert branch.messages == trajectory.messages, "with the observation that nobody was sent"
    assert branch.replies == [0, 1]
    assert [call.usage for call in found.calls] == [turn.usage for turn in trajectory.turns]


def test_a_long_session_is_no_matter_of_depth() -> None:
    calls = [Call(messages=[user("0")], reply=saying("0"), started_at=NOON)]
    for n in range(1, 3000):
        calls.append(Call(parent=n - 1, n_kept=2 * n, messages=[user("x")], reply=saying("y"), started_at=NOON))
    [branch] = branches(calls)
    assert len(branch.said) == 6000
