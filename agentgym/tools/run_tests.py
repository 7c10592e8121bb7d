"""The task's tests, or some of them, with a line that counts."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from agentgym.protocols import ToolContext, ToolResult
from agentgym.tools.base import Arguments, Mistake, TypedTool
from agentgym.tools.text import Output, cut_head

_PYTEST = 'exec 2>&1; exec "$(command -v python || command -v python3)" -m pytest -q "$@"'
_COUNT = re.compile(r"\d+ (?:passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?|rerun)\b")
_UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n\n?(OK|FAILED)(.*)$", re.MULTILINE)


class RunTestsArguments(Arguments):
    targets: list[str] = Field(default_factory=list)
    """pytest targets, such as tests/test_io.py or tests/test_io.py::test_read; all tests of the task when left out."""
    timeout_s: int | None = Field(default=None, ge=1, le=3600)
    """Seconds after which the tests are killed; when left out, as long as the task allows."""

    @field_validator("targets")
    @classmethod
    def _targets_only(cls, targets: list[str]) -> list[str]:
        for target in targets:
            if not target or target.startswith("-") or "\0" in target:
                raise ValueError("should name files, folders or tests, no options")
        return targets


class RunTestsTool(TypedTool[RunTestsArguments]):
    name = "run_tests"
    description = (
        "Run the tests, all or some of them. Answers with how many passed and failed, and the end of the output."
    )
    arguments = RunTestsArguments

    def __init__(self, output: Output | None = None) -> None:
        self.output = output or Output()

    def run(self, arguments: RunTestsArguments, context: ToolContext) -> ToolResult:
        if arguments.targets:
            argv = ["bash", "-c", _PYTEST, "run_tests", *arguments.targets]
        elif context.test_command:
            # a line of its own: the command may begin with a comment or be several lines
            argv = ["bash", "-c", f"exec 2>&1\n{context.test_command}"]
        else:
            raise Mistake("This task names no command that runs all of its tests: name `targets`.")
        timeout_s = context.timeout_s if arguments.timeout_s is None else float(arguments.timeout_s)
        done = context.sandbox.exec(argv, timeout_s=timeout_s, cwd=context.workdir)
        if done.timed_out:
            ending = f"timed out after {timeout_s:g} s"
        else:
            ending = f"exit code {done.exit_code}"
        count = count_line(done.stdout)
        parts = [f"{count} ({ending})" if count else f"Tests ended: {ending}"]
        if done.stdout.strip():
            parts.append(cut_head(done.stdout.rstrip("\n"), self.output.max_chars))
        if done.truncated:
            parts.append("[the tests wrote more than the sandbox keeps; the last output is missing]")
        return ToolResult("\n".join(parts))


def count_line(output: str) -> str:
    """`3 failed, 2 passed` from the last summary of pytest, or of unittest; empty when there is none."""
    for line in reversed(output.splitlines()):
        counts = _COUNT.findall(line)
        # pytest's own line says how long it took; a test's printed "1 passed" does not
        if counts and re.search(r" in [\d.:]+", line):
            return ", ".join(counts)
    if found := list(_UNITTEST.finditer(output)):
        ran, verdict, detail = found[-1].groups()
        return f"{ran} tests ran, {verdict}{detail}"
    return ""
