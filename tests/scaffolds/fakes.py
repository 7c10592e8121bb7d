"""An episode for tests of scaffolds: real tools in a local folder, no grading, a task that is made on the spot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentgym.protocols import ExecResult, Message, Model, Reply, StopReason, ToolCall, ToolContext
from agentgym.task import Task, load_task
from agentgym.tools import ToolPool
from tests.tools.local_sandbox import LocalSandbox


class EpisodeOver(Exception):
    """A limit was reached."""


@dataclass(frozen=True)
class Step:
    observation: str
    reward: float | None = None
    terminated: bool = False
    truncated: bool = False
    info: dict[str, Any] = field(default_factory=dict)
    goes_on: bool = False


class RootedSandbox(LocalSandbox):
    """A local sandbox that takes /solution for a folder of its own."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.calls: list[dict[str, Any]] = []
        """What `exec` was told besides the command."""

    def exec(self, command: str | Sequence[str], **options: Any) -> ExecResult:
        self.calls.append({"command": command, **options})
        rooted = command if isinstance(command, str) else [self._rooted(word) for word in command]
        return super().exec(rooted, **options)

    def upload(self, source: Path, target: str) -> None:
        super().upload(source, self._rooted(target))

    def _rooted(self, word: str) -> str:
        return f"{self.root}{word}" if word.startswith("/solution") else word


class FakeEpisode:
    """Counts turns, runs tool calls, moves on to the task's next step at each submission."""

    def __init__(self, task: Task, sandbox: RootedSandbox, *, max_turns: int = 20) -> None:
        self.task = task
        self.sandbox = sandbox
        self.workdir = sandbox.workdir
        self.pool = ToolPool.default()
        self.stop_reason: StopReason | None = None
        self.max_turns = max_turns
        self.prompts: list[list[Message]] = []
        """What the model was sent, turn for turn."""
        self.actions: list[ToolCall | str] = []
        self._context = ToolContext(sandbox=sandbox, workdir=sandbox.workdir, timeout_s=20.0)
        self._step = 0

    @property
    def over(self) -> bool:
        return self.stop_reason is not None

    @property
    def instruction(self) -> str:
        return self.task.steps[self._step].instruction

    @property
    def system_prompt(self) -> str:
        return self.task.gym.system_prompt

    def reply(self, model: Model, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Reply:
        if len(self.prompts) == self.max_turns:
            self.stop(StopReason.MAX_TURNS)
            raise EpisodeOver
        self.prompts.append(list(messages))
        return model.reply(messages, tools)

    def step(self, action: ToolCall | str) -> Step:
        assert not self.over
        self.actions.append(action)
        if isinstance(action, ToolCall):
            result = self.pool.call(action, self._context)
            if not result.submitted:
                return Step(result.content)
        if self._step + 1 < len(self.task.steps):
            self._step += 1
            return Step(self.instruction, goes_on=True)
        self.stop(StopReason.SUBMITTED)
        return Step("The work is handed in.", terminated=True)

    def stop(self, reason: StopReason) -> None:
        self.stop_reason = reason

    def close(self) -> None:
        self.pool.close(self._context)


def make_task(folder: Path, *, solve: Mapping[str, str], instructions: Mapping[str, str], config: str = "") -> Task:
    """A task with these solve.sh and instructions, by step name ("" for a task without steps)."""
    steps = [step for step in instructions if step]
    text = 'schema_version = "1.1"\n' + config + "".join(f'\n[[steps]]\nname = "{step}"\n' for step in steps)
    files = {"task.toml": text, "environment/Dockerfile": "FROM scratch\n", "tests/test.sh": "true\n"}
    for step, instruction in instructions.items():
        files[f"steps/{step}/instruction.md" if step else "instruction.md"] = instruction
    for step, script in solve.items():
        files[f"steps/{step}/solution/solve.sh" if step else "solution/solve.sh"] = script
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return load_task(folder)
