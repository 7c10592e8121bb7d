"""The record a rollout leaves: who worked on what, every turn, how it ended and what it was worth.

Everything here is data. It knows nothing of how episodes run (`env.py`), how they are graded (`scoring/`) or where
trajectories are kept (`store.py`); what it holds survives JSON and back unchanged.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from agentgym.call import Call, Record, RecordedMessage
from agentgym.errors import AgentError, GraderError, ImageError, ModelError, SandboxError, TaskError, UsageError
from agentgym.protocols import FinishReason, StopReason, Usage
from agentgym.verdict import Compliance, ItemVerdict, Judging

FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)
"""1: without checklists; it reads as a trajectory that nobody scored."""

TestVerdict = Literal["passed", "failed", "skipped", "missing"]
"""missing: required, but not in the test report; counts as a failure."""


class Outcome(Record):
    """What the verifier found in the sandbox's end state."""

    reward: float | None = None
    """None: unknown (infrastructure or verifier failed), which is not 0."""
    rewards: dict[str, float] = Field(default_factory=dict)
    """All numbers of the verifier's reward.json, by name."""
    fail_to_pass: dict[str, TestVerdict] = Field(default_factory=dict)
    """Test id to verdict, for the tests that the work had to repair."""
    pass_to_pass: dict[str, TestVerdict] = Field(default_factory=dict)
    """Test id to verdict, for the tests that the work had to leave whole."""
    detail: str = ""
    """For people: why the reward is what it is."""
    step_rewards: list[float | None] = Field(default_factory=list)
    """Of a multi-step task: one reward a step that was graded, in order."""
    checklist: list[ItemVerdict] = Field(default_factory=list)
    """What was found of each item; empty where nobody scored it. The reward knows nothing of it."""
    compliance: Compliance | None = None
    """What the checklist comes to; None where nobody scored it."""
    judging: Judging | None = None
    """Of the items that a judge decided; None where there was no judge."""


class StepRecord(Record):
    """One action and what came back."""

    name: str
    """The tool, or what a scaffold did to its own conversation (`compact`); empty for a final answer, whose text is
    then arguments["answer"]."""
    arguments: dict[str, Any] | str = Field(default_factory=dict)
    """As asked for; text where the model wrote no JSON object."""
    id: str = ""
    """The tool call's id in the message that asked for it; empty where the scaffold read the action out of text."""
    observation: str = ""
    """As the model read it."""
    is_error: bool = False
    """The model's own mistake, told to it in the observation."""
    started_at: AwareDatetime
    duration_s: float


class Turn(Record):
    """One model reply and the steps it led to."""

    message: RecordedMessage
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    started_at: AwareDatetime
    duration_s: float
    """Waiting for the model, its retries included; the steps have their own."""
    steps: list[StepRecord] = Field(default_factory=list)


class TaskRef(Record):
    """Which task it was, exactly."""

    name: str
    checksum: str
    """Of the task folder's content: another checksum is another task."""
    suite: str = ""
    split: str = ""


Owner = Literal["task", "sandbox", "model", "grader", "caller", "agent", "scaffold"]

OWNERS: tuple[tuple[type[Exception], Owner], ...] = (
    (TaskError, "task"),
    (ImageError, "task"),
    (SandboxError, "sandbox"),
    (ModelError, "model"),
    (GraderError, "grader"),
    (AgentError, "agent"),
    (UsageError, "caller"),
    (Exception, "scaffold"),
)
"""The first class that fits owns the error; what is not from our tree came out of the scaffold's code."""


class Failure(Record):
    """What went wrong outside the agent, and whose it is."""

    owner: Owner
    type: str
    """Class of the exception."""
    message: str

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Attribute `error` to its owner."""
        owner = next(owner for kind, owner in OWNERS if isinstance(error, kind))
        return cls(owner=owner, type=type(error).__name__, message=str(error))


class Timing(Record):
    """Where the wall clock went, in seconds; the parts do not overlap."""

    sandbox_s: float = 0.0
    """Image, start, setup and stop."""
    agent_s: float = 0.0
    """Tool calls and commands in the sandbox."""
    model_s: float = 0.0
    """Waiting for the model."""
    grading_s: float = 0.0
    overhead_s: float = 0.0
    """All that is in none of the others: the scaffold's and our own code."""


class Trajectory(Record):
    """One rollout, from the first prompt to the verdict."""

    format_version: Literal[2] = 2
    id: str
    task: TaskRef
    attempt: int = 0
    """Counts the rollouts of one task by one scaffold and model in one run, from 0."""
    scaffold: str
    model: str
    backend: str
    """Of the sandbox."""
    seed: int | None = None
    started_at: AwareDatetime
    messages: list[RecordedMessage] = Field(default_factory=list)
    """As the model last saw them, system prompt included, with the last reply and what followed it."""
    tools: list[dict[str, Any]] = Field(default_factory=list)
    """Schemas the model was offered, in OpenAI's shape; empty for scaffolds that read actions out of text."""
    turns: list[Turn] = Field(default_factory=list)
    calls: list[Call] = Field(default_factory=list)
    """Every request to the model as the gateway saw it, in the order they ended; `call.py` tells how they hang
    together. Conversations beside the main one (sub-agents, compaction, titles) are in here alone."""
    log: str = ""
    """What a black-box agent's program printed, the middle left out where it was long."""
    patch: str | None = None
    """Unified diff of what the agent changed, files included that a step of the task had brought in; None where it
    could not be taken."""
    stop_reason: StopReason | None = None
    """None only when the episode broke off on an `error` that no stop reason names."""
    outcome: Outcome | None = None
    """None when nothing was graded."""
    error: Failure | None = None
    timing: Timing = Timing()
    versions: dict[str, str] = Field(default_factory=dict)
    """Package to version, of what could change the result."""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What makes it one piece of work in a run: the same key is not rolled out again on resume."""
        return (self.task.checksum, self.scaffold, self.model, self.attempt)

    @property
    def settled(self) -> bool:
        """Whether it ended by the agent's own doing and any grading of it gave a reward; else it is worth redoing."""
        if self.stop_reason is None or not self.stop_reason.is_graded:
            return False
        graded = self.outcome is None or self.outcome.reward is not None
        return graded and (self.error is None or self.stop_reason is StopReason.AGENT_ERROR)

    @property
    def reward(self) -> float | None:
        """The outcome's, None without one."""
        return self.outcome.reward if self.outcome else None
