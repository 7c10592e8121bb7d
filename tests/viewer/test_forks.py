"""Calls as a tree of conversations."""

from __future__ import annotations

from agentgym.call import Call
from agentgym.protocols import Message
from agentgym.viewer.forks import branches, conversation, joined, main_call
from tests.trajectories import NOON
from tests.viewer.episodes import rich


def call(said: str, parent: int | None = None, n_kept: int = 0, drift: str = "clean", reply: str | None = "ok") -> Call:
    answer: Message | None = None if reply is None else {"role": "assistant", "content": reply}
    return Call(
        parent=parent,
        n_kept=n_kept,
        drift="root" if parent is None else drift,
        messages=[{"role": "user", "content": said}],
        reply=answer,
        started_at=NOON,
    )


CALLS = [
    call("begin", reply="r0"),
    call("next", 0, 2, reply="r1"),
    call("errand", reply="r2"),  # a sub-agent
    call("on", 1, 4, "realigned", reply="r3"),
    call("in short", 3, 1, "forked", reply="r4"),  # compaction
    call("again", 1, 4, reply=None),  # from where another went on already
]


def test_conversations_that_go_on_are_one_branch() -> None:
    tree = branches(CALLS)
    assert [(branch.calls, branch.parent, branch.drift, branch.depth) for branch in tree] == [
        ([0, 1, 3], None, "root", 0),
        ([4], 3, "forked", 1),
        ([5], 1, "clean", 1),
        ([2], None, "root", 0),
    ]
    assert [branch.title for branch in tree] == ["begin", "in short", "again", "errand"]
    assert [branch.n_failed for branch in tree] == [0, 0, 1, 0]


def test_a_conversation_is_what_was_kept_and_what_was_said() -> None:
    assert [item.text for item in conversation(CALLS, 3)] == ["begin", "r0", "next", "r1", "on", "r3"]
    assert [item.text for item in conversation(CALLS, 4)] == ["begin", "in short", "r4"]
    assert [item.text for item in conversation(CALLS, 5)] == ["begin", "r0", "next", "r1", "again"]


def test_each_message_knows_where_it_stands() -> None:
    assert [item.at for item in conversation(CALLS, 4)] == ["/calls/0/messages/0", "/calls/4/messages/0", "/calls/4/reply"]  # fmt: skip
    assert [item.call for item in conversation(CALLS, 4)] == [None, None, 4]


def test_the_main_conversation_is_the_newest_of_the_largest_tree() -> None:
    assert main_call(CALLS) == 5
    assert main_call(CALLS[:3]) == 1


def test_sessions_joined_keep_their_trees() -> None:
    both = joined([CALLS, CALLS])
    assert [call.parent for call in both[6:]] == [None, 6, None, 7, 9, 7]
    assert conversation(both, 10)[-1].text == "r4"


def test_a_thousand_compactions_are_no_recursion() -> None:
    calls = [call("begin"), *(call("short", n, 1, "forked") for n in range(3000))]
    assert branches(calls)[-1].depth == 3000
    assert len(conversation(calls, 3000)) == 3


def test_of_a_rich_episode() -> None:
    assert [(b.calls, b.drift) for b in branches(rich().calls)] == [([0, 1, 2], "root"), ([4, 5], "forked"), ([3], "root")]  # fmt: skip


def test_a_parent_that_comes_later_is_none() -> None:
    """What the record says is not trusted: it would be gone round for ever."""
    calls = [call("a", 1, 1), call("b", 0, 1)]
    assert len(branches(calls)) == 1
    assert [item.text for item in conversation(calls, 1)] == ["a", "b", "ok"]
