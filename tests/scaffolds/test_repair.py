"""The agent of the repairs: one edit, or two with what the check said between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentgym.protocols import Backend, Message, Reply, Sampling, StopReason
from agentgym.rollout import Job, rollout
from agentgym.synthesis.repairs.edit import numbered
from agentgym.synthesis.repairs.family import Split, make, templates
from agentgym.synthesis.repairs.folder import write_repair
from agentgym.trajectory import Trajectory
from scaffolds.repair import RepairScaffold, prompt
from tests.tasks import vary

# a wrong comparison, which is no comparison at all where it is doubled
REPAIR = next(
    repair
    for template in templates(Split.TRAIN)
    if (repair := make(template, Split.TRAIN, 3)).edit.old.strip() in ("<", ">", "<=", ">=")
)
RIGHT = str(REPAIR.edit)
WRONG = f"{REPAIR.edit.line}|{REPAIR.edit.old}=>{REPAIR.edit.old}{REPAIR.edit.old}"


class Says:
    """A model with its replies laid down."""

    name = "says"

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.asked: list[list[Message]] = []

    def reply(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = (), sampling: Sampling | None = None
    ) -> Reply:
        self.asked.append(list(messages))
        return Reply({"role": "assistant", "content": self.replies.pop(0)})


Run = Callable[..., Trajectory]


@pytest.fixture
def run(backend: Backend, tmp_path: Path) -> Run:
    """run(model, tries=…): its episode."""
    task = write_repair(REPAIR, Split.TRAIN, tmp_path / "task")

    def run(model: Says, tries: int = 1) -> Trajectory:
        trajectory = rollout(Job(task, RepairScaffold(tries=tries), model), backend)
        assert trajectory.error is None
        return trajectory

    return run


def test_right_edit(run: Run) -> None:
    model = Says(RIGHT)
    trajectory = run(model)
    assert trajectory.reward == 1.0
    assert trajectory.stop_reason is StopReason.SUBMITTED
    assert model.asked == [[{"role": "user", "content": prompt(f"{REPAIR.doc}\n", REPAIR.broken)}]]
    assert numbered(REPAIR.broken) in str(model.asked[0][0]["content"])
    [turn] = trajectory.turns
    assert [(step.name, step.is_error) for step in turn.steps] == [("edit", False), ("submit", False)]
    assert turn.steps[0].arguments == {"line": REPAIR.edit.line, "old": REPAIR.edit.old, "new": REPAIR.edit.new}
    [call] = trajectory.calls
    assert call.reply == {"role": "assistant", "content": RIGHT}


def test_wrong_edit(run: Run) -> None:
    trajectory = run(Says(WRONG))
    assert trajectory.reward == 0.0
    assert trajectory.stop_reason is StopReason.SUBMITTED


def test_edit_without_a_place_is_the_models_mistake(run: Run) -> None:
    trajectory = run(Says("99|a=>b"))
    assert trajectory.reward == 0.0
    [edit, _] = trajectory.turns[0].steps
    assert edit.is_error
    assert edit.observation == f"there is no line 99, the last is {len(REPAIR.broken.splitlines())}"


@pytest.mark.parametrize("text", ["", "I cannot.", f"{RIGHT}\n", "2:0=>1"])
def test_unreadable_reply(text: str, run: Run) -> None:
    trajectory = run(Says(text))
    assert trajectory.reward == 0.0
    assert trajectory.stop_reason is StopReason.PARSE_ERROR
    assert trajectory.turns[0].steps[0].is_error


def test_second_try_reads_what_the_check_said(run: Run) -> None:
    model = Says("99|a=>b", RIGHT)
    trajectory = run(model, tries=2)
    assert trajectory.reward == 1.0
    assert len(trajectory.turns) == 2
    told = str(model.asked[1][-1]["content"]).splitlines()
    call, gives, wanted = REPAIR.example
    assert told[:2] == [trajectory.turns[0].steps[0].observation, f"{call} gives {gives}, not {wanted}"]
    assert "\n".join(told[2:]) == numbered(REPAIR.broken)


def test_second_try_goes_on_from_the_first_edit(run: Run) -> None:
    back = f"{REPAIR.edit.line}|{REPAIR.edit.old}{REPAIR.edit.old}=>{REPAIR.edit.new}"
    model = Says(WRONG, back)
    assert run(model, tries=2).reward == 1.0
    assert WRONG.rpartition("=>")[2] in str(model.asked[1][-1]["content"])


def test_no_second_try_where_the_first_is_right(run: Run) -> None:
    trajectory = run(Says(RIGHT), tries=2)
    assert trajectory.reward == 1.0
    assert len(trajectory.turns) == 1


def test_unreadable_first_try_may_be_mended(run: Run) -> None:
    assert run(Says("what?", RIGHT), tries=2).reward == 1.0


def test_task_of_another_kind_is_refused(backend: Backend, tmp_path: Path) -> None:
    trajectory = rollout(Job(vary(tmp_path / "task"), RepairScaffold(), Says()), backend)
    assert trajectory.error is not None
    assert "found no repair.py in its workdir, wanted a task of repairs" in trajectory.error.message
