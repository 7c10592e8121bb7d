"""One episode of one task.

`Episode` is the core: a task, a sandbox, tools, limits, the record and the verdict. White-box scaffolds call `reply`
and `step`, black-box ones work in `sandbox`; `RepoEnv` (gym.py) shows the same core to Gymnasium. It knows neither
scaffolds nor where trajectories are kept.
"""

from __future__ import annotations

import functools
import os
import platform
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agentgym import backends
from agentgym.call import Call
from agentgym.errors import GraderError, ModelError, SandboxError, SandboxLost, TaskError, model_failures
from agentgym.gateway import Budget
from agentgym.protocols import (
    Backend,
    ExecResult,
    Image,
    Limits,
    Message,
    Model,
    Reply,
    Sandbox,
    SandboxSpec,
    StopReason,
    ToolCall,
    ToolContext,
    ToolResult,
    Usage,
)
from agentgym.scoring.verifier import Verifier
from agentgym.task import Healthcheck, Task, expand_variables
from agentgym.task import Step as TaskStep
from agentgym.tools import ToolPool
from agentgym.trajectory import Failure, Outcome, StepRecord, TaskRef, Timing, Trajectory, Turn
from agentgym.views.turns import MainConversation, turns_of


class EpisodeOver(Exception):
    """A limit ended the episode in the middle of a scaffold's turn. Control flow, no error: `rollout` catches it."""


class EpisodeConfig(BaseModel):
    """What one episode may use, whatever the task."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_turns: int = Field(default=100, gt=0)
    """Model replies."""
    max_tokens: int = Field(default=1_000_000, gt=0)
    """Sampled tokens, all replies together."""
    timeout_s: float | None = Field(default=None, gt=0)
    """Wall clock of the agent's work; None: the task's own [agent] timeout_sec, else 1800."""
    tool_timeout_s: float = Field(default=120.0, gt=0)
    """One tool call, where the call itself names no limit."""
    online: bool = False
    """Give the sandbox the machine's network where the task asks for network_mode = "public". Off, every episode is
    offline."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one action led to."""

    observation: str
    """As the model will read it."""
    reward: float | None
    """0 until the episode is over; then the outcome's, None where infrastructure took it away."""
    terminated: bool
    truncated: bool
    info: dict[str, Any] = field(default_factory=dict)
    goes_on: bool = False
    """The work was handed in and the task has another step: the observation is its instruction, which the user says."""


class Episode:
    """From `start` to `close`. Not for several threads at once."""

    def __init__(
        self,
        task: Task,
        backend: Backend,
        *,
        pool: ToolPool | None = None,
        config: EpisodeConfig | None = None,
        seed: int | None = None,
    ) -> None:
        self.id = secrets.token_hex(8)
        self.task = task
        self.backend = backend
        self.config = config or EpisodeConfig()
        self.seed = seed
        chosen = pool or ToolPool.default()
        names = task.gym.tools or tuple(name for name in chosen if name != "run_tests" or task.gym.test_command)
        self.pool = chosen if pool is not None else chosen.select(names)
        self.outcome: Outcome | None = None
        self.stop_reason: StopReason | None = None
        self.failure: Failure | None = None
        self.patch: str | None = None
        self.turns: list[Turn] = []
        self.log = ""
        """What a black-box agent printed."""
        self._loose_steps: list[StepRecord] = []
        self._messages: list[Message] = []
        self._offered: list[dict[str, Any]] = []
        self._index = 0
        self._n_tokens = 0
        self._rewards: list[float | None] = []
        self._timing = {"sandbox_s": 0.0, "agent_s": 0.0, "model_s": 0.0, "grading_s": 0.0}
        self._opened = time.monotonic()
        self._started_at = datetime.now(UTC)
        self._sandbox: Sandbox | None = None
        self._image: Image | None = None
        self._context: ToolContext | None = None
        self._deadline = float("inf")

    # -------------------------------------------------------------------------------------------------- its life

    def start(self, mounts: Mapping[str, Path] | None = None) -> str:
        """Build the image where needed, start the sandbox, prepare the first step; returns the instruction.

        `mounts`: as in SandboxSpec, of the agent's. Raises TaskError, ImageError, SandboxError.
        """
        began = time.monotonic()
        environment = self.task.config.environment
        asked = self.task.steps[0].config.agent
        network = asked.network(environment)
        if network == "allowlist" and self.config.online:
            raise TaskError(
                f'{self.task.name}: found network_mode = "allowlist", wanted "no-network" or "public": '
                "no backend filters by host; run it offline"
            )
        if len(users := {step.config.agent.user for step in self.task.steps}) > 1:
            raise TaskError(f"{self.task.name}: found steps with [agent] users {users}, wanted one for all steps")
        image = self._image = self._image or backends.build_image(self.task, self.backend)
        if environment.workdir is not None:
            image = replace(image, workdir=environment.workdir)
        if asked.user is not None:
            image = replace(image, user=str(asked.user))  # whom commands run as that name no user
        spec = SandboxSpec(
            image=image,
            limits=Limits(environment.memory_mb, float(environment.cpus), storage_mb=environment.storage_mb),
            network="public" if self.config.online and network == "public" else "none",
            env=expand_variables(environment.env, os.environ),
            labels=self._labels,
            mounts=mounts or {},
            ttl_s=7200.0 + sum(self._limit_s(step) + step.config.verifier.timeout_sec for step in self.task.steps),
        )
        self._sandbox = self.backend.create(spec)
        self._sandbox.start()
        try:
            self._prepare_step()
        except BaseException:
            self.close()
            raise
        self._timing["sandbox_s"] += time.monotonic() - began
        self._deadline = time.monotonic() + self._limit_s(self.task.steps[0])
        return self.instruction

    def _limit_s(self, step: TaskStep) -> float:
        return self.config.timeout_s or step.config.agent.timeout_sec or 1800.0

    def _prepare_step(self) -> None:
        """Bring in the current step's files; run its setup and the healthchecks."""
        step = self.task.steps[self._index]
        if step.workdir is not None:
            self.sandbox.upload(step.workdir, self.workdir)
            if (step.workdir / "setup.sh").is_file():
                result = self.sandbox.exec(["bash", "setup.sh"], cwd=self.workdir, timeout_s=600.0, user="root")
                if result.exit_code:
                    raise TaskError(f"{self.task.name}: setup.sh of step {step.name} ended with {result.exit_code}: "
                                    f"{(result.stderr or result.stdout).strip()[-300:]}")  # fmt: skip
        for check in (self.task.config.environment.healthcheck, step.config.healthcheck):
            if check is not None:
                self._await_health(check)

    def _await_health(self, check: Healthcheck) -> None:
        began, failures = time.monotonic(), 0
        while True:
            result = self.sandbox.exec(check.command, timeout_s=check.timeout_sec, cwd=self.workdir)
            if result.exit_code == 0:
                return
            starting = time.monotonic() - began < check.start_period_sec
            failures += not starting
            if failures >= max(check.retries, 1):
                said = (result.stderr or result.stdout).strip()[-300:]
                raise TaskError(f"{self.task.name}: the healthcheck `{check.command}` kept failing: {said}")
            time.sleep(check.start_interval_sec if starting else check.interval_sec)

    def close(self) -> None:
        """End the tools and the sandbox. Idempotent."""
        if self._sandbox is not None:
            began = time.monotonic()
            self._close_tools()
            sandbox, self._sandbox = self._sandbox, None
            sandbox.stop()
            self._timing["sandbox_s"] += time.monotonic() - began

    def fork(self) -> Episode:
        """A second episode that goes on from here with the same files and its own record; live processes and shells
        stay with the first."""
        twin = Episode(self.task, self.backend, pool=self.pool, config=self.config, seed=self.seed)
        twin._sandbox, twin._image = self.sandbox.fork(), self._image
        twin._index, twin._n_tokens, twin._rewards = self._index, self._n_tokens, list(self._rewards)
        twin.turns = [turn.model_copy(update={"steps": list(turn.steps)}) for turn in self.turns]
        twin._loose_steps = list(self._loose_steps)
        twin._messages, twin._offered = list(self._messages), self._offered
        twin._deadline = self._deadline
        twin.outcome, twin.stop_reason, twin.failure = self.outcome, self.stop_reason, self.failure
        twin.patch = self.patch
        return twin

    # ------------------------------------------------------------------------------------------- what agents see

    @property
    def sandbox(self) -> Sandbox:
        if self._sandbox is None:
            raise SandboxLost(f"episode {self.id} has no sandbox: it is not started, or closed")
        return self._sandbox

    @property
    def instruction(self) -> str:
        """The current step's, with the reminder that the task's user messages end with."""
        return self.task.says(self.task.steps[self._index])

    @property
    def system_prompt(self) -> str:
        """What the task adds to the scaffold's own."""
        return self.task.gym.system_prompt

    @property
    def workdir(self) -> str:
        return self.sandbox.spec.image.workdir

    @property
    def over(self) -> bool:
        return self.stop_reason is not None

    def reply(self, model: Model, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Reply:
        """Ask the model, within the limits, and record the turn. Raises EpisodeOver, ModelError."""
        self._check_limits(asking=True)
        self._messages, self._offered = list(messages), [dict(tool) for tool in tools]
        began, at = time.monotonic(), datetime.now(UTC)
        try:
            with model_failures():
                reply = model.reply(messages, tools)
        except ModelError as error:
            self._end(StopReason.CONTEXT_OVERFLOW if error.context_overflow else StopReason.MODEL_ERROR, error)
            raise EpisodeOver from None
        finally:
            self._timing["model_s"] += time.monotonic() - began
        self._n_tokens += reply.usage.completion_tokens
        self._messages.append(reply.message)
        self.turns.append(
            Turn(
                message=reply.message,
                finish_reason=reply.finish_reason,
                usage=Usage(reply.usage.prompt_tokens, reply.usage.completion_tokens),
                started_at=at,
                duration_s=time.monotonic() - began,
                steps=[],
            )
        )
        if reply.finish_reason == "repetition":
            self._end(StopReason.REPETITION)
            raise EpisodeOver
        return reply

    def step(self, action: ToolCall | str, tools: ToolPool | None = None) -> Step:
        """Run one tool call, or take a final answer (text), which hands the work in.

        `tools` answer the call instead of the pool: its own and those that the scaffold offers beside them, say.
        Raises EpisodeOver when the episode has ended before, and TaskError where the task's next step is broken.
        """
        self._check_limits()
        call = action if isinstance(action, ToolCall) else ToolCall("submit", {"message": action})
        began, at = time.monotonic(), datetime.now(UTC)
        try:
            if isinstance(action, str):
                observation, is_error, submitted = "The work is handed in.", False, True
            else:
                result = self._call(call, tools or self.pool)
                observation, is_error, submitted = result.content, result.is_error, result.submitted
        except SandboxError as error:
            self._end(StopReason.SANDBOX_LOST, error)
            return self.last_step(str(error))
        spent = time.monotonic() - began
        self._timing["agent_s"] += spent
        self.record(
            StepRecord(
                name=call.name if isinstance(action, ToolCall) else "",
                arguments=_recorded(call.arguments) if isinstance(action, ToolCall) else {"answer": action},
                id=call.id,
                observation=observation,
                is_error=is_error,
                started_at=at,
                duration_s=spent,
            )
        )
        instruction = self._submitted() if submitted else None
        self._end_past_limits()
        if instruction is not None and not self.over:
            return replace(self.last_step(instruction), goes_on=True)
        return self.last_step(observation)

    def execute(
        self, argv: Sequence[str], *, timeout_s: float, env: Mapping[str, str] | None = None, stdin: bytes = b""
    ) -> ExecResult:
        """Run an agent's own program in the sandbox; its time is the agent's. Raises SandboxError."""
        began = time.monotonic()
        try:
            return self.sandbox.exec(argv, timeout_s=timeout_s, env=env, stdin=stdin)
        finally:
            self._timing["agent_s"] += time.monotonic() - began

    def refuse(self, action: str, problem: str) -> Step:
        """Take an action that cannot be read: a step like any other, whose observation is `problem`.

        Raises EpisodeOver when the episode has ended before.
        """
        self._check_limits()
        record = StepRecord(
            name="",
            arguments=action,
            observation=problem,
            is_error=True,
            started_at=datetime.now(UTC),
            duration_s=0.0,
        )
        self.record(record)
        self._end_past_limits()
        return self.last_step(problem)

    def record(self, step: StepRecord) -> None:
        """Put on record what the scaffold did that is no tool call: it rewrote the conversation, say."""
        (self.turns[-1].steps if self.turns else self._loose_steps).append(step)

    def stop(self, reason: StopReason, error: Exception | None = None) -> Step:
        """End the episode for `reason`; what the agent has done so far is graded. `error`: of the agent's program."""
        if not self.over:
            self._end(reason, error)
        return self.last_step()

    def fail(self, reason: StopReason, error: Exception) -> None:
        """End the episode because of what is not the agent's doing: no reward."""
        if not self.over:
            self._end(reason, error)

    def last_step(self, observation: str = "") -> Step:
        """Where the episode stands, as a step's result."""
        if not self.over:
            return Step(observation, 0.0, terminated=False, truncated=False)
        reason = self.stop_reason
        assert reason is not None
        terminated = reason in (StopReason.SUBMITTED, StopReason.SOLVED)
        info: dict[str, Any] = {"stop_reason": reason.value, "outcome": self.outcome}
        if self.failure is not None:
            info["error"] = self.failure.message
        reward = self.outcome.reward if self.outcome else None
        return Step(observation, reward, terminated, not terminated, info)

    @property
    def budget(self) -> Budget:
        """What is left for an agent that asks its model without `reply`."""
        left_s = max(0.0, self._deadline - time.monotonic())
        return Budget(self.config.max_turns - len(self.turns), self.config.max_tokens - self._n_tokens, left_s)

    # ---------------------------------------------------------------------------------------------------- endings

    def _check_limits(self, *, asking: bool = False) -> None:
        """`asking`: for another reply, which is a turn; the actions of the last one allowed may still run."""
        self._end_past_limits()
        if asking and not self.over:
            if self._n_tokens >= self.config.max_tokens:
                self._end(StopReason.MAX_TOKENS)
            elif len(self.turns) >= self.config.max_turns:
                self._end(StopReason.MAX_TURNS)
        if self.over:
            raise EpisodeOver

    def _end_past_limits(self) -> None:
        if self.over:
            return
        if time.monotonic() > self._deadline:
            self._end(StopReason.TIMEOUT)
        elif not self.turns and len(self._loose_steps) >= self.config.max_turns:
            self._end(StopReason.MAX_TURNS)  # nobody asks for replies: each step is a turn

    def _submitted(self) -> str | None:
        """Grade the current step; the next instruction where one follows."""
        self._grade()
        if self.over:
            return None
        step, reward = self.task.steps[self._index], self._rewards[-1]
        passed = reward is not None and _reaches(step.min_reward, reward, self.outcome)
        if self._index + 1 < len(self.task.steps) and passed:
            self._index += 1
            began = time.monotonic()
            try:
                self._prepare_step()
            except SandboxError as error:
                self._end(StopReason.SANDBOX_LOST, error)
                return None
            self._off_the_clock("sandbox_s", began)
            if self.config.timeout_s is None:
                self._deadline = time.monotonic() + self._limit_s(self.task.steps[self._index])
            return self.instruction
        self._settle(StopReason.SUBMITTED)
        return None

    def _end(self, reason: StopReason, error: Exception | None = None) -> None:
        """Stop now. What a limit cut off is graded all the same; what infrastructure cut off is not."""
        if error is not None and not reason.trains:
            self.failure = Failure.of(error)
        if reason.is_graded:
            self._grade()
        if not self.over:
            self._settle(reason)

    def _settle(self, reason: StopReason) -> None:
        self.stop_reason = reason
        if not reason.is_graded:
            self.outcome = (self.outcome or Outcome()).model_copy(update={"reward": None})
        elif self.task.multi_step and self.outcome is not None:
            final = self.task.config.multi_step_reward_strategy == "final"
            known = [reward for reward in self._rewards if reward is not None]
            total = (known[-1] if final else sum(known) / len(self.task.steps)) if known else None
            if final and len(self._rewards) < len(self.task.steps):
                total = 0.0
            self.outcome = self.outcome.model_copy(update={"reward": total, "step_rewards": list(self._rewards)})

    def _grade(self) -> None:
        began = time.monotonic()
        image = self._image
        assert image is not None
        verifier = Verifier(self.task, self.backend, image, self._labels)
        try:
            self._close_tools()
            graded = verifier.grade(self.task.steps[self._index], self.sandbox, self.workdir)
        except SandboxError as error:
            self.failure = Failure.of(error)
            self._settle(StopReason.SANDBOX_LOST)
        except GraderError as error:
            self.failure = Failure.of(error)
            self._settle(StopReason.GRADER_ERROR)
        else:
            self.outcome, self.patch = graded.outcome, graded.patch
            self._rewards.append(graded.outcome.reward)
        finally:
            self._off_the_clock("grading_s", began)

    def _off_the_clock(self, part: str, began: float) -> None:
        """What is not the agent's work does not count against its time."""
        spent = time.monotonic() - began
        self._timing[part] += spent
        self._deadline += spent

    # ----------------------------------------------------------------------------------------------------- record

    def trajectory(self, scaffold: str, model: str, attempt: int = 0, calls: Sequence[Call] = ()) -> Trajectory:
        """The record so far."""
        main = MainConversation(self.turns, self._messages, self._offered)
        timing = dict(self._timing)
        if not self.turns and calls:  # nobody asked through `reply`: an agent of its own did
            main = turns_of(calls)
            timing["model_s"] = min(sum(call.duration_s for call in calls), timing["agent_s"])
            timing["agent_s"] -= timing["model_s"]
        elif not self.turns:
            main = MainConversation([_hand_turn(step) for step in self._loose_steps], [], [])
        wall_s = time.monotonic() - self._opened
        return Trajectory(
            id=self.id,
            task=TaskRef(
                name=self.task.name, checksum=self.task.checksum, suite=self.task.gym.suite, split=self.task.gym.split
            ),
            attempt=attempt,
            scaffold=scaffold,
            model=model,
            backend=self.backend.name,
            seed=self.seed,
            started_at=self._started_at,
            messages=main.messages,
            tools=main.tools,
            turns=main.turns,
            calls=list(calls),
            log=self.log,
            patch=self.patch,
            stop_reason=self.stop_reason,
            outcome=self.outcome if self.over else None,
            error=self.failure,
            timing=Timing(**timing, overhead_s=max(0.0, wall_s - sum(timing.values()))),
            versions={"agentgym": _own_version(), "python": platform.python_version()},
        )

    @property
    def _labels(self) -> dict[str, str]:
        return {"agentgym.episode": self.id, "agentgym.task": self.task.name}

    def _call(self, call: ToolCall, tools: ToolPool) -> ToolResult:
        if self._context is None:
            self._context = ToolContext(
                sandbox=self.sandbox, workdir=self.workdir, test_command=self.task.gym.test_command
            )
        left_s = self._deadline - time.monotonic()
        self._context.timeout_s = min(self.config.tool_timeout_s, max(left_s, 1.0))
        return tools.call(call, self._context)

    def _close_tools(self) -> None:
        if self._context is not None:
            self.pool.close(self._context)


def _reaches(wanted: float | Mapping[str, float] | None, reward: float, outcome: Outcome | None) -> bool:
    if isinstance(wanted, Mapping):
        rewards = outcome.rewards if outcome else {}
        return all({"reward": reward, **rewards}.get(name, 0.0) >= value for name, value in wanted.items())
    return wanted is None or reward >= wanted


def _recorded(arguments: Mapping[str, Any] | str) -> dict[str, Any] | str:
    """As given; models that write broken JSON are recorded with what they wrote."""
    return arguments if isinstance(arguments, str) else dict(arguments)


def _hand_turn(step: StepRecord) -> Turn:
    """A step that no model asked for, as the turn it would have been."""
    message: Message = {"role": "assistant", "content": None}
    return Turn(message=message, started_at=step.started_at, duration_s=0.0, steps=[step])


@functools.cache
def _own_version() -> str:
    # read from files of the installation, at a cost that short episodes would feel
    try:
        return version("agentgym")
    except PackageNotFoundError:
        return "source"
