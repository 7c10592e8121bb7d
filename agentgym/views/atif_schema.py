"""ATIF v1.7, Harbor's Agent Trajectory Interchange Format (RFC 0001): its objects and its rules.

Unknown keys are refused; what a producer has to add goes under `extra`. It knows no trajectory of ours.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

Extra = dict[str, Any]


def _iso(text: str) -> str:
    datetime.fromisoformat(text)
    return text


def _continuation(text: str) -> str:
    if not re.search(r"-cont-\d+(\.\w+)?$", text):
        raise ValueError(f"found {text!r}, wanted a name that ends in -cont-N")
    return text


class Part(BaseModel):
    """What all objects of the format share."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ImageSource(Part):
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    path: str


class ContentPart(Part):
    type: Literal["text", "image"]
    text: str | None = None
    source: ImageSource | None = None

    @model_validator(mode="after")
    def _one_content(self) -> ContentPart:
        if (self.text is not None, self.source is not None) != (self.type == "text", self.type == "image"):
            raise ValueError(f"a part of type {self.type} has its text or its source, and not the other")
        return self


Content = str | list[ContentPart]


class ToolCall(Part):
    tool_call_id: str
    function_name: str
    arguments: dict[str, Any]
    extra: Extra | None = None


class SubagentTrajectoryRef(Part):
    trajectory_id: str | None = None
    session_id: str | None = None
    trajectory_path: str | None = None
    extra: Extra | None = None

    @model_validator(mode="after")
    def _can_be_followed(self) -> SubagentTrajectoryRef:
        if self.trajectory_id is None and self.trajectory_path is None:
            raise ValueError("wanted a trajectory_id or a trajectory_path; a session_id does not tell which")
        return self


class ObservationResult(Part):
    source_call_id: str | None = None
    content: Content | None = None
    subagent_trajectory_ref: list[SubagentTrajectoryRef] | None = None
    extra: Extra | None = None


class Observation(Part):
    results: list[ObservationResult]


class Metrics(Part):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    prompt_token_ids: list[int] | None = None
    completion_token_ids: list[int] | None = None
    logprobs: list[float] | None = None
    extra: Extra | None = None


AGENT_ONLY = ("model_name", "reasoning_effort", "reasoning_content", "tool_calls", "metrics")


class Step(Part):
    step_id: int = Field(ge=1)
    timestamp: Annotated[str, AfterValidator(_iso)] | None = None
    source: Literal["system", "user", "agent"]
    model_name: str | None = None
    reasoning_effort: str | float | None = None
    message: Content
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    observation: Observation | None = None
    metrics: Metrics | None = None
    is_copied_context: bool | None = None
    llm_call_count: int | None = Field(default=None, ge=0)
    extra: Extra | None = None

    @property
    def results(self) -> list[ObservationResult]:
        return self.observation.results if self.observation else []

    @model_validator(mode="after")
    def _fields_fit_the_source(self) -> Step:
        if self.source != "agent":
            for name in AGENT_ONLY:
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} is of agent steps alone, and this is a {self.source} step")
        if self.source == "user" and self.observation is not None:
            raise ValueError("observation is of agent and system steps alone, and this is a user step")
        if self.source == "agent" and self.llm_call_count == 0:
            for name in ("metrics", "reasoning_content"):
                if getattr(self, name) is not None:
                    raise ValueError(f"llm_call_count is 0, so there can be no {name}")
        return self

    @model_validator(mode="after")
    def _results_are_of_this_step(self) -> Step:
        asked = {call.tool_call_id for call in self.tool_calls or ()}
        for result in self.results:
            if result.source_call_id is not None and result.source_call_id not in asked:
                raise ValueError(f"source_call_id {result.source_call_id!r} is no tool call of this step")
        return self


class Agent(Part):
    name: str
    version: str
    model_name: str | None = None
    tool_definitions: list[dict[str, Any]] | None = None
    extra: Extra | None = None


class FinalMetrics(Part):
    total_prompt_tokens: int | None = None
    total_completion_tokens: int | None = None
    total_cached_tokens: int | None = None
    total_cost_usd: float | None = None
    total_steps: int | None = Field(default=None, ge=0)
    extra: Extra | None = None


class Document(Part):
    """A trajectory, as the format calls it."""

    schema_version: Literal["ATIF-v1.7"] = "ATIF-v1.7"
    session_id: str | None = None
    """Of the run."""
    trajectory_id: str | None = None
    """Of this document."""
    agent: Agent
    steps: list[Step] = Field(min_length=1)
    notes: str | None = None
    final_metrics: FinalMetrics | None = None
    continued_trajectory_ref: Annotated[str, AfterValidator(_continuation)] | None = None
    subagent_trajectories: list[Document] | None = None
    extra: Extra | None = None

    @model_validator(mode="after")
    def _steps_are_counted(self) -> Document:
        for n, step in enumerate(self.steps, start=1):
            if step.step_id != n:
                raise ValueError(f"found step_id {step.step_id} at step {n}, wanted them to count from 1")
        return self

    @model_validator(mode="after")
    def _subagents_are_found(self) -> Document:
        ids = [document.trajectory_id for document in self.subagent_trajectories or ()]
        if None in ids:
            raise ValueError(f"subagent {ids.index(None)} has no trajectory_id")
        if twice := {id for id in ids if ids.count(id) > 1}:
            raise ValueError(f"more than one subagent has the trajectory_id {min(map(str, twice))!r}")
        for step in self.steps:
            for result in step.results:
                for ref in result.subagent_trajectory_ref or ():
                    if ref.trajectory_path is None and ref.trajectory_id not in ids:
                        raise ValueError(f"step {step.step_id} refers to subagent {ref.trajectory_id!r}, not in here")
        return self

    def as_json(self) -> dict[str, Any]:
        """Without what is not set."""
        return self.model_dump(mode="json", exclude_none=True)


def problems(data: Any) -> list[str]:
    """Every rule that a document, as JSON gives it, breaks: one line each."""
    try:
        # through text: what the format is exchanged as
        Document.model_validate(json.loads(json.dumps(data)))
    except ValidationError as error:
        return [f"{'.'.join(map(str, found['loc'])) or 'document'}: {found['msg']}" for found in error.errors()]
    return []
