"""What a task says to agents beside its instruction reaches the models of our own scaffolds, step after step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentgym.entry import make_scaffold
from agentgym.protocols import Backend, StopReason
from agentgym.rollout import Job, rollout
from agentgym.trajectory import Trajectory
from scaffolds import ToolsScaffold
from tests.scaffolds.external.agents import playing
from tests.scaffolds.sources import COMMANDS, PATCH, REMINDER, instructed
from tests.scaffolds.speakers import SUBMIT, Speaker, call, text_of


def run(name: str, folder: Path, backend: Backend) -> Trajectory:
    if name == "bash":
        script = [f"```bash\n{line}\n```" for command in COMMANDS for line in (command, "submit")]
        model = playing(*script)
    else:
        model = playing(*(call for command in COMMANDS for call in (("bash", {"command": command}), ("submit", {}))))
    return rollout(Job(instructed(folder / "task"), make_scaffold(name), model), backend)


@pytest.mark.parametrize("name", ["bash", "tools", "plan"])
def test_every_source_reaches_the_model(name: str, tmp_path: Path, backend: Backend) -> None:
    trajectory = run(name, tmp_path, backend)
    assert (trajectory.stop_reason, trajectory.reward, trajectory.error) == (StopReason.SUBMITTED, 1.0, None)
    system, user, *rest = trajectory.messages
    assert text_of(system).endswith('\n\nAlways say "zorp".\nTwice, $HOME.\n')
    assert f"Say hello.\n\n{REMINDER}\n" in text_of(user)
    assert text_of(user).count("Never shout at a wombat.") == 1  # AGENTS.md and CLAUDE.md say the same
    told_of_skills = text_of(user) if name == "bash" else json.dumps(trajectory.tools)
    assert told_of_skills.count("How to greet a quokka.") == 1
    # the conversation goes on, and the user speaks as a user
    assert [call.drift for call in trajectory.calls] == ["root", "clean", "clean", "clean"]
    [again] = [message for message in rest if "Say it again." in (message["content"] or "")]
    assert again == {"role": "user", "content": f"Say it again.\n\n{REMINDER}\n"}


def test_what_was_brought_in_is_not_the_agents_work(tmp_path: Path, backend: Backend) -> None:
    assert run("tools", tmp_path, backend).patch == PATCH


def test_calls_behind_a_submission_are_answered_before_the_user_speaks(tmp_path: Path, backend: Backend) -> None:
    write, again = ("bash", {"command": COMMANDS[0]}), ("bash", {"command": COMMANDS[1]})
    model = Speaker([call(write, ("submit", {}), again), SUBMIT])
    trajectory = rollout(Job(instructed(tmp_path / "task"), ToolsScaffold(), model), backend)
    assert [message["role"] for message in model.prompts[1][3:]] == ["tool", "tool", "tool", "user"]
    assert trajectory.reward == 1.0
