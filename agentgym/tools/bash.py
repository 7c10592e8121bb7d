"""Commands in a live shell: folder, variables and functions persist from call to call."""

from __future__ import annotations

import shlex

from pydantic import Field, field_validator, model_validator

from agentgym.protocols import Shell, ToolContext, ToolResult
from agentgym.tools.base import Arguments, TypedTool
from agentgym.tools.text import Output, cut_middle


class BashArguments(Arguments):
    command: str = ""
    """What to run. May hold several lines."""
    timeout_s: int | None = Field(default=None, ge=1, le=600)
    """Seconds after which the command is killed; when left out, as long as the task allows."""
    restart: bool = False
    """Start over with a fresh shell first: for when it hangs or its settings are broken."""

    @field_validator("command")
    @classmethod
    def _no_nul(cls, command: str) -> str:
        if "\0" in command:
            raise ValueError("should not hold a NUL character")
        return command

    @model_validator(mode="after")
    def _something_to_do(self) -> BashArguments:
        if not self.command.strip() and not self.restart:
            raise ValueError("`command` is missing")
        return self


class BashTool(TypedTool[BashArguments]):
    """The shell lives in `context.state["bash"]`, under whatever name the tool goes."""

    name = "bash"
    description = (
        "Run a command in a bash shell that lives as long as the episode: the current folder, variables and functions "
        "are kept. Answers with what the command wrote (stdout and stderr together). Nothing can be typed into it: "
        "avoid programs that ask questions."
    )
    arguments = BashArguments

    def __init__(self, output: Output | None = None) -> None:
        self.output = output or Output()

    def run(self, arguments: BashArguments, context: ToolContext) -> ToolResult:
        if arguments.restart:
            self._close(context)
        shell = self._shell(context)
        if not arguments.command.strip():
            return ToolResult("A fresh shell was started.")
        timeout_s = context.timeout_s if arguments.timeout_s is None else float(arguments.timeout_s)
        done = shell.run(arguments.command, timeout_s=timeout_s)
        parts = [cut_middle(done.stdout.strip("\n"), self.output.max_chars)] if done.stdout.strip() else []
        if done.truncated:
            parts.append("[the command wrote more than the sandbox keeps; its last output is missing]")
        if done.timed_out:
            parts.append(f"[timed out after {timeout_s:g} s]")
        elif done.exit_code != 0:
            parts.append(f"[exit code {done.exit_code}]")
        return ToolResult("\n".join(parts) or "[no output]")

    def _shell(self, context: ToolContext) -> Shell:
        if "bash" not in context.state:
            shell = context.sandbox.shell()
            # it may fail: a work folder that the agent removed is no reason to refuse it a shell
            shell.run(f"cd -- {shlex.quote(context.workdir)}", timeout_s=context.timeout_s)
            context.state["bash"] = shell
        live: Shell = context.state["bash"]
        return live

    def _close(self, context: ToolContext) -> None:
        if "bash" in context.state:
            context.state.pop("bash").close()
