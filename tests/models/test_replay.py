from __future__ import annotations

import logging
from pathlib import Path

import pytest

from agentgym.errors import ModelError, UsageError
from agentgym.models import ReplayModel
from agentgym.protocols import Message
from agentgym.store import TrajectoryStore
from agentgym.trajectory import Trajectory
from tests.trajectories import make_trajectory

TWO_TASKS = [
    make_trajectory("ls", "submit", instruction="Fix a.", task="demo/a"),
    make_trajectory("pwd", "submit", instruction="Fix b.", task="demo/b"),
]


def talk(model: ReplayModel, trajectory: Trajectory, *, turns: int, **changed: str) -> list[str | None]:
    """What the model says when it meets the trajectory's prompts again, message n changed where `m<n>` says so."""
    said: list[str | None] = []
    messages: list[Message] = []
    for position, message in enumerate(trajectory.messages):
        if message["role"] == "assistant":
            if len(said) == turns:
                break
            said.append(model.reply(messages).message["content"])
        content = changed.get(f"m{position}", message["content"])
        messages.append({"role": message["role"], "content": content})
    return said


@pytest.mark.parametrize("n", [0, 1])
def test_the_task_is_found_by_its_prompt(n: int) -> None:
    recorded = TWO_TASKS[n]
    model = ReplayModel(TWO_TASKS)
    assert talk(model, recorded, turns=2) == [turn.message["content"] for turn in recorded.turns]
    assert model.reply(recorded.messages[:2]).usage == recorded.turns[0].usage


def test_attempts_at_one_task_take_turns() -> None:
    attempts = [make_trajectory(first, f"then {first}", attempt=n) for n, first in enumerate(["a", "b"])]
    model = ReplayModel(attempts)
    first = [model.reply(attempts[0].messages[:2]).message["content"] for _ in range(4)]
    assert first == ["a", "b", "a", "b"]
    assert model.reply(attempts[1].messages[:4]).message["content"] == "then b"


def test_another_observation_is_a_warning_that_names_the_message(caplog: pytest.LogCaptureFixture) -> None:
    recorded = make_trajectory("ls", "cat a", "submit", observations=("took 0.13 s, exit code 0", "x = 1"))
    assert talk(ReplayModel([recorded]), recorded, turns=2, m3="took 0.2 s, exit code 0") == ["ls", "cat a"]
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "replay: trajectory demo/fix-0 of demo/fix goes on although message 3 (user) read 'took 0.13 s, exit code 0', "
        "and reads 'took 0.2 s, exit code 0', from character 7"
    )


def test_another_observation_ends_a_strict_replay() -> None:
    recorded = make_trajectory("ls", "submit")
    with pytest.raises(ModelError, match=r"does not fit this conversation: message 3 \(user\) read 'seen 0', and"):
        talk(ReplayModel([recorded], strict=True), recorded, turns=2, m3="seen 1")


def test_another_prompt_or_reply_is_an_error() -> None:
    recorded = make_trajectory("ls", "submit")
    model = ReplayModel([*TWO_TASKS, recorded])
    with pytest.raises(ModelError, match=r"message 1 \(user\) read 'Fix a\.', and reads 'Fix c\.', from character 4"):
        talk(model, recorded, turns=1, m1="Fix c.")
    with pytest.raises(ModelError, match=r"message 2 \(assistant\) read 'ls', and reads 'rm'"):
        talk(model, recorded, turns=2, m2="rm")
    with pytest.raises(ModelError, match="message 1 was from user, and is from assistant"):
        model.reply([recorded.messages[0], {"role": "assistant", "content": "ls"}])


def test_reasoning_need_not_be_sent_back() -> None:
    recorded = make_trajectory("ls", "submit")
    recorded.turns[0].message["reasoning_content"] = recorded.messages[2]["reasoning_content"] = "hm"
    model = ReplayModel([recorded], strict=True)
    assert talk(model, recorded, turns=2) == ["ls", "submit"]
    assert model.reply(recorded.messages[:2]).message["reasoning_content"] == "hm"


def test_a_recording_comes_to_its_end() -> None:
    recorded = make_trajectory("ls", "submit")
    with pytest.raises(ModelError, match="demo/fix is exhausted: it has 2 replies, asked for number 3"):
        ReplayModel([recorded]).reply(recorded.messages)
    cut = recorded.model_copy(update={"messages": recorded.messages[:4]})
    model = ReplayModel([cut])
    assert talk(model, cut, turns=2) == ["ls"]
    assert model.reply(cut.messages).message["content"] == "submit"


def test_a_rewritten_history_cannot_be_replayed(caplog: pytest.LogCaptureFixture) -> None:
    compacted = make_trajectory("ls", "cat a", "submit")
    compacted = compacted.model_copy(update={"messages": compacted.messages[:2] + compacted.messages[6:]})
    with pytest.raises(UsageError, match="found no trajectory to replay"):
        ReplayModel([compacted])
    assert "its scaffold rewrote the conversation" in caplog.text


def test_a_file_of_trajectories_is_a_model(tmp_path: Path) -> None:
    path = tmp_path / "old.jsonl"
    store = TrajectoryStore(path)
    for trajectory in TWO_TASKS:
        store.append(trajectory)
    model = ReplayModel.from_spec(str(path), {"strict": True})
    assert (model.name, model.strict) == ("replay:old", True)
    assert talk(model, TWO_TASKS[1], turns=2) == ["pwd", "submit"]


def test_a_file_without_replies_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such file; wanted a \.jsonl of trajectories"):
        ReplayModel.from_spec(str(tmp_path / "new.jsonl"), {})
    by_hand = make_trajectory("ls").model_copy(update={"messages": []})
    TrajectoryStore(tmp_path / "hand.jsonl").append(by_hand)
    with pytest.raises(UsageError, match="replay:hand: found no trajectory to replay"):
        ReplayModel.from_spec(str(tmp_path / "hand.jsonl"), {})
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(UsageError, match="replay:empty: found no trajectory to replay"):
        ReplayModel.from_spec(str(tmp_path / "empty.jsonl"), {})
    with pytest.raises(UsageError, match=r"replay takes no option 'stric' \(nearest known option: .strict.\)"):
        ReplayModel.from_spec("a.jsonl", {"stric": True})
    with pytest.raises(UsageError, match="found strict = 'no', wanted true or false"):
        ReplayModel.from_spec("a.jsonl", {"strict": "no"})
