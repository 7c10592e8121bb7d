"""The agent of the family of repairs: sees the file with its lines numbered, answers with one edit, hands it in.

An edit is `LINE|OLD=>NEW` and nothing else, so that a policy of a million parameters can learn it. With a second try it
is first shown what the task's own check says of its edit. Limits and the record are the episode's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from agentgym.errors import TaskError
from agentgym.protocols import Message, Model, StopReason, ToolCall, ToolContext, ToolResult
from agentgym.synthesis.repairs.edit import Edit, EditError, numbered
from agentgym.synthesis.repairs.folder import FILE, SUITE
from agentgym.tools import ToolPool
from agentgym.tools.base import Arguments, Mistake, TypedTool

if TYPE_CHECKING:
    from agentgym.env import Episode


class RepairScaffold:
    """Runs the loop: show, reply, edit; check and try again where tries are left; submit."""

    name = "repair"
    needs_model = True

    def __init__(self, *, tries: int = 1) -> None:
        self.tries = tries

    def run(self, episode: Episode, model: Model) -> None:
        """Work until the episode is over. Raises EpisodeOver, SandboxError, TaskError."""
        source = read_source(episode)
        tool = EditTool(source)
        tools = ToolPool([tool])
        messages: list[Message] = [{"role": "user", "content": prompt(episode.instruction, source)}]
        for left in reversed(range(self.tries)):
            reply = episode.reply(model, messages)
            text = reply.message["content"] or ""
            try:
                edit = Edit.parse(text)
            except EditError as error:
                said = episode.refuse(text, str(error)).observation
                if not left:
                    episode.stop(StopReason.PARSE_ERROR)
                    return
            else:
                arguments = {"line": edit.line, "old": edit.old, "new": edit.new}
                said = episode.step(ToolCall(tool.name, arguments), tools).observation
            if left:
                check = episode.execute(["bash", "-c", episode.task.gym.test_command], timeout_s=10.0)
                said = "\n".join(filter(None, (said, check.stdout.strip())))
                if check.stdout.strip() == "right":
                    break
                messages += [reply.message, {"role": "user", "content": f"{said}\n{numbered(tool.source)}"}]
        episode.step(ToolCall("submit"))


def read_source(episode: Episode) -> str:
    """The broken file as the task brought it in: nobody else has been in the sandbox, and a look costs 5 ms.

    Raises TaskError where the task is none of the family.
    """
    [step, *_] = episode.task.steps
    file = step.folder / "workdir" / FILE
    if not file.is_file():
        raise TaskError(f"{episode.task.path}: found no {FILE} in its workdir, wanted a task of {SUITE}")
    return file.read_text(encoding="utf-8")


def prompt(instruction: str, source: str) -> str:
    """What the model is shown first."""
    return f"{instruction.strip()}\n{numbered(source)}"


class EditArguments(Arguments):
    line: int = Field(ge=1)
    """Number of the line."""
    old: str
    """Piece of the line to replace: whole lexemes, which it has once."""
    new: str
    """What stands there afterwards."""


class EditTool(TypedTool[EditArguments]):
    """Of one episode: it knows the file as it was read and as it has edited it since."""

    name = "edit"
    description = "Replace a piece of one line."
    arguments = EditArguments

    def __init__(self, source: str) -> None:
        self.source = source

    def run(self, arguments: EditArguments, context: ToolContext) -> ToolResult:
        try:
            edited = Edit(arguments.line, arguments.old, arguments.new).apply(self.source)
        except EditError as error:
            raise Mistake(str(error)) from None
        done = context.sandbox.exec(["tee", FILE], stdin=edited.encode(), cwd=context.workdir)
        if done.exit_code:
            raise Mistake(f"the file cannot be written: {done.stderr.strip()}")
        self.source = edited
        return ToolResult("")
