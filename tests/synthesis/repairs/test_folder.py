"""A repair as a task: graded by running it in a sandbox, where neither text nor forgery counts."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from agentgym.env import Episode
from agentgym.protocols import Backend, Model, StopReason, ToolCall
from agentgym.rollout import Job, rollout
from agentgym.synthesis.repairs.family import Split, make, sample, templates
from agentgym.synthesis.repairs.folder import check, write_repair
from agentgym.task import Task
from agentgym.trajectory import Trajectory
from scaffolds import NopScaffold, OracleScaffold
from tests.synthesis.repairs.test_family import rewritten

REPAIR = make(templates(Split.TRAIN)[0], Split.TRAIN, 3)


@dataclass
class Writes:
    """An agent that puts a text where the broken file is, and runs a command."""

    source: str
    command: str = "true"
    name = "writes"
    needs_model = False

    def run(self, episode: Episode, model: Model | None = None) -> None:
        episode.sandbox.exec(["sh", "-c", "cat > repair.py"], stdin=self.source.encode())
        episode.step(ToolCall("bash", {"command": self.command}))
        episode.step(ToolCall("submit"))


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return write_repair(REPAIR, Split.TRAIN, tmp_path / "task")


Grade = Callable[..., Trajectory]


@pytest.fixture
def grade(backend: Backend, task: Task) -> Grade:
    """grade(source, command): the episode of an agent that writes it."""

    def grade(source: str, command: str = "true") -> Trajectory:
        return rollout(Job(task, Writes(source, command), None), backend)

    return grade


@pytest.mark.parametrize("split", Split)
def test_tests_decide(split: Split, backend: Backend, tmp_path: Path) -> None:
    rng = random.Random(4)
    for n in range(3):
        repair = sample(split, rng)
        task = write_repair(repair, split, tmp_path / str(n))
        assert rollout(Job(task, NopScaffold(), None), backend).reward == 0.0, repair
        assert rollout(Job(task, OracleScaffold(), None), backend).reward == 1.0, repair
        assert rollout(Job(task, Writes(rewritten(repair)), None), backend).reward == 1.0, repair


def test_folder_says_what_it_is(task: Task, tmp_path: Path) -> None:
    assert task.gym.suite == "repairs"
    assert task.gym.split == "train"
    assert task.metadata["difficulty"] == REPAIR.difficulty
    assert task.instruction == f"{REPAIR.doc}\n"
    again = write_repair(REPAIR, Split.TRAIN, tmp_path / "again")
    assert again.checksum == task.checksum
    other = write_repair(make(templates(Split.UNSEEN)[0], Split.UNSEEN, 1), Split.UNSEEN, tmp_path / "other")
    assert other.gym.split == "heldout"
    assert other.checksum != task.checksum


def test_all_share_one_image(task: Task, backend: Backend, tmp_path: Path) -> None:
    other = write_repair(make(templates(Split.UNSEEN)[0], Split.UNSEEN, 1), Split.UNSEEN, tmp_path / "other")
    assert task.environment_dir
    assert other.environment_dir
    assert backend.build(task.environment_dir).ref == backend.build(other.environment_dir).ref


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def f(",
        "raise SystemExit(0)",
        "import os\nos._exit(0)",
        "while True:\n    pass",
        "def NAME(*args):\n    while True:\n        pass",
        "def NAME(*args):\n    return [0] * (1 << 40)",
        "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
        "import os\nif os.fork():\n    os._exit(0)\nwhile True:\n    pass",
        "import os\nfor fd in range(3, 50):\n    try:\n        os.write(fd, b'0\\n' * 12)\n    except OSError:\n        pass\nos._exit(0)",
        "def NAME(*args):\n    return open('/tests/wanted.txt').read()",
        "import os\nos.makedirs('/logs/verifier')\nopen('/logs/verifier/reward.txt', 'w').write('1')",
        "class Same:\n    def __eq__(self, other):\n        return True\n\n\ndef NAME(*args):\n    return Same()",
        "def NAME(*args):\n    print('0\\n' * 100000)",
    ],
)
def test_what_is_no_repair_earns_nothing(source: str, grade: Grade) -> None:
    trajectory = grade(source.replace("NAME", REPAIR.values["f"]))
    assert trajectory.error is None
    assert trajectory.reward == 0.0


@pytest.mark.security
@pytest.mark.parametrize(
    "command",
    [
        "mkdir -p /tests /logs/verifier; echo 1 > /logs/verifier/reward.txt; touch /usr/local/bin/python3",
        "while true; do cat /tests/wanted.txt > /tmp/wanted; done 2> /dev/null & disown",
        "ln -sf /tests/wanted.txt repair.py; rm -f check.py",
        "cp /bin/true /tmp/python3; export PATH=/tmp:$PATH; chmod 000 repair.py",
    ],
)
def test_agent_cannot_forge(command: str, grade: Grade) -> None:
    trajectory = grade(REPAIR.broken, command)
    assert trajectory.error is None
    assert trajectory.stop_reason is StopReason.SUBMITTED
    assert trajectory.reward == 0.0


def test_check_shows_the_bug_and_its_end(task: Task, grade: Grade) -> None:
    call, gives, wanted = REPAIR.example
    for source, said in ((REPAIR.broken, f"{call} gives {gives}, not {wanted}"), (REPAIR.fixed, "right")):
        trajectory = grade(source, task.gym.test_command)
        assert trajectory.turns[0].steps[0].observation == said


@pytest.mark.parametrize("split", [Split.TRAIN, Split.UNSEEN])
def test_check_knows_right_from_wrong_in_every_template(
    split: Split, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for template in templates(split):
        repair = make(template, split, 0)
        call, gives, wanted = repair.example
        told = {repair.fixed: "right", repair.broken: f"{call} gives {gives}, not {wanted}"}
        if gives == "raises Endless":
            del told[repair.broken]
        for source, said in told.items():
            module = ModuleType("repair")
            exec(source, module.__dict__)
            monkeypatch.setitem(sys.modules, "repair", module)
            exec(check(repair), {})
            assert capsys.readouterr().out.strip() == said
