"""What a task says to agents beside its instruction reaches the models of the real agents, each in its own way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentgym.entry import make_scaffold
from agentgym.protocols import Backend, StopReason
from agentgym.rollout import Job, rollout
from scaffolds.external import ExternalScaffold
from tests.scaffolds.external.agents import playing, shell
from tests.scaffolds.external.test_agents import agent  # noqa: F401 -- a fixture
from tests.scaffolds.external.test_endings import agent as small
from tests.scaffolds.external.test_endings import make
from tests.scaffolds.sources import COMMANDS, PATCH, REMINDER, instructed


@pytest.mark.agents
def test_every_source_reaches_the_model(agent: ExternalScaffold, backend: Backend, tmp_path: Path) -> None:  # noqa: F811
    first, second = (shell(agent.name, f"cd /app && {command}") for command in COMMANDS)
    task = instructed(tmp_path / "task")
    trajectory = rollout(Job(task, agent, playing(first, "Said.", second, "Said again.")), backend)
    assert (trajectory.stop_reason, trajectory.reward, trajectory.error) == (StopReason.SUBMITTED, 1.0, None)
    assert trajectory.patch == PATCH
    messages = [(message["role"], json.dumps(message["content"])) for message in trajectory.messages]
    system = "\n".join(text for role, text in messages if role == "system")
    users = [text for role, text in messages if role == "user"]
    assert json.dumps('Always say "zorp".\nTwice, $HOME.')[1:-1] in system
    reminded = [text for text in users if json.dumps(REMINDER)[1:-1] in text]
    assert [("Say hello." in text, "Say it again." in text) for text in reminded] == [(True, False), (False, True)]
    everything = json.dumps([trajectory.messages, trajectory.tools])
    assert "Never shout at a wombat." in everything
    assert "How to greet a quokka." in everything


def test_without_a_system_prompt_nothing_is_said_of_it(backend: Backend, tmp_path: Path) -> None:
    scaffold = small('ask "$# $*" >> log.txt', system_args=("--more", "{system_prompt}"))
    bare = rollout(Job(make(tmp_path / "a", {"": "Hi."}, "hello"), scaffold, playing("hello")), backend)
    config = '[metadata.agentgym]\nsystem_prompt = "Be $HOME."\n'
    told = rollout(Job(make(tmp_path / "b", {"": "Hi."}, "hello", config=config), scaffold, playing("hello")), backend)
    assert [t.calls[0].messages[-1]["content"] for t in (bare, told)] == ["1 Hi.", "3 Hi. --more Be $HOME."]


@pytest.mark.parametrize("name", ["claude-code", "droid", "kilo"])
def test_the_agents_we_ship_take_a_system_prompt(name: str) -> None:
    scaffold = make_scaffold(name)
    assert isinstance(scaffold, ExternalScaffold)
    assert "{system_prompt}" in (*scaffold.spec.system_args, *scaffold.spec.files.values())
