"""The agent that knows the answer: runs the task's own solution. A task that it does not solve is broken."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from agentgym.errors import TaskError
from agentgym.protocols import Model, ToolCall
from agentgym.task import Step, expand_variables

if TYPE_CHECKING:
    from agentgym.env import Episode

logger = logging.getLogger(__name__)

SOLUTION = "/solution"
TIMEOUT_S = 3600.0
"""For a solve.sh whose task sets no agent timeout."""


class OracleScaffold:
    """Runs solution/solve.sh as root and submits; of a multi-step task each step's own."""

    name = "oracle"
    needs_model = False

    def run(self, episode: Episode, model: Model | None = None) -> None:
        """Solve the task. The model is not asked. Raises TaskError when there is no solution, and SandboxError.

        A solve.sh that fails is handed in all the same, with a warning: the verifier has the last word.
        """
        for step in episode.task.steps:
            if episode.over:
                return
            self._solve(episode, step)
            episode.step(ToolCall("submit"))

    def _solve(self, episode: Episode, step: Step) -> None:
        task, sandbox = episode.task, episode.sandbox
        folder = step.solution_dir or task.solution_dir
        if folder is None:
            raise TaskError(f"{step.folder}: found no solution/solve.sh, wanted one for the oracle to run")
        # what the step before brought along is not this step's
        sandbox.exec(["rm", "-rf", SOLUTION], user="root")
        sandbox.upload(folder, SOLUTION)
        result = sandbox.exec(
            ["bash", f"{SOLUTION}/solve.sh"],
            timeout_s=step.config.agent.timeout_sec or TIMEOUT_S,
            cwd=episode.workdir,
            env=expand_variables(task.config.solution.env, os.environ),
            user="root",
        )
        if result.exit_code:
            said = (result.stderr.strip() or result.stdout.strip())[-500:]
            how = "ran out of time" if result.timed_out else f"exited {result.exit_code}"
            logger.warning("%s: solve.sh of step %r %s: %s", task.name, step.name, how, said or "(no output)")
