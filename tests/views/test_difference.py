from __future__ import annotations

from agentgym.protocols import StopReason
from agentgym.trajectory import Outcome
from agentgym.views.difference import Difference, differences
from tests.trajectories import make_trajectory
from tests.views.agents import BASH


def test_nothing_differs_from_itself_nor_from_another_attempt_that_did_the_same() -> None:
    one = make_trajectory("ls", "submit", id="a", attempt=0)
    other = make_trajectory("ls", "submit", id="b", attempt=1, seed=3)
    assert list(differences(one, one)) == []
    assert list(differences(one, other)) == []


def test_what_was_given_what_was_done_and_how_it_ended() -> None:
    one = make_trajectory(
        "ls", "cat a", model="small", patch="+a\n", outcome=Outcome(reward=1.0, fail_to_pass={"t": "passed"})
    )
    other = make_trajectory(
        "ls",
        "cat b",
        "submit",
        model="big",
        instruction="Mend it.",
        observations=("other",),
        tools=[BASH],
        stop_reason=StopReason.TIMEOUT,
        outcome=Outcome(reward=0.0, fail_to_pass={"t": "failed"}),
    )
    found = list(differences(one, other))
    assert [(d.turn, d.what) for d in found] == [
        (None, "model"), (None, "tools"), (None, "message 1 (user)"),
        (0, "observation 0"),
        (1, "reply"), (1, "step 0"),
        (2, "reasoning"), (2, "reply"), (2, "step 0"), (2, "observation 0"),
        (None, "stop reason"), (None, "patch"), (None, "reward"), (None, "test t"),
    ]  # fmt: skip
    assert found[2] == Difference(None, "message 1 (user)", "Fix it.", "Mend it.")
    assert found[5] == Difference(1, "step 0", 'bash {"command": "cat a"}', 'bash {"command": "cat b"}')
    assert found[7] == Difference(2, "reply", None, "submit")
    assert found[-2] == Difference(None, "reward", "1", "0")


def test_it_is_the_same_from_the_other_side() -> None:
    one, other = make_trajectory("ls"), make_trajectory("ls", "cat a", model="big")
    turned = [Difference(d.turn, d.what, d.other, d.one) for d in differences(other, one)]
    assert sorted(map(str, turned)) == sorted(map(str, differences(one, other)))
