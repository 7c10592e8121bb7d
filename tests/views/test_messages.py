from __future__ import annotations

import json
from collections import Counter

from agentgym.views.messages import message_lines
from tests.trajectories import make_trajectory
from tests.views.agents import BASH, TASK_TOOL, worked


def test_a_line_is_a_conversation_the_main_ones_first() -> None:
    calls = worked()
    trajectory = make_trajectory(calls=calls, id="t")
    lines = list(message_lines(trajectory))
    assert [(line["meta"]["branch"], line["meta"]["main"]) for line in lines] == [
        (6, True), (8, True), (9, True), (0, False), (4, False),
    ]  # fmt: skip
    assert lines[0]["tools"] == [BASH, TASK_TOOL]
    assert lines[0]["messages"][0] == {"role": "system", "content": "Work."}
    assert lines[0]["messages"][2] == {**(calls[1].reply or {}), "generation": True}
    assert lines[0]["meta"] == {
        "trajectory": "t", "task": "demo/fix", "scaffold": "bash", "model": "m", "attempt": 0,
        "stop_reason": "submitted", "reward": 1.0, "branch": 6, "main": True,
    }  # fmt: skip
    json.dumps(lines, allow_nan=False)


def test_every_reply_is_marked_once() -> None:
    calls = worked(tokens=True)
    lines = message_lines(make_trajectory(calls=calls))
    marked = Counter(m["content"] for line in lines for m in line["messages"] if m.get("generation"))
    assert marked == Counter(call.reply["content"] for call in calls if call.reply)
    assert set(marked.values()) == {1}


def test_a_trajectory_of_turns_alone_is_a_line() -> None:
    trajectory = make_trajectory("ls", "submit")
    [line] = message_lines(trajectory)
    assert [message.get("generation", False) for message in line["messages"]] == [
        False,
        False,
        True,
        False,
        True,
        False,
    ]
    assert [{k: v for k, v in m.items() if k != "generation"} for m in line["messages"]] == trajectory.messages


def test_nothing_was_said() -> None:
    assert list(message_lines(make_trajectory(messages=[], calls=[]))) == []
