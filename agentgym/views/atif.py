"""A trajectory as an ATIF v1.7 document; `atif_reading.py` is the way back.

The main conversation is the document, other conversations are embedded as subagents. Where history was rewritten the
document goes on with the new history, and what of it was there before is marked `is_copied_context`. The format has no
place for the rest of a trajectory, which is kept under `extra`; what the gateway knows beyond replies (requests that
failed, how forks share their beginnings) is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentgym.call import Call
from agentgym.trajectory import Trajectory
from agentgym.views import atif_schema as atif
from agentgym.views.atif_metrics import metrics_of
from agentgym.views.atif_steps import n_answers, step_of, with_extra
from agentgym.views.conversation import Branch, Said, conversations
from agentgym.views.turns import recorded_turns, text_of

SAID_IN_STEPS = {"messages", "tools", "turns", "calls"}
"""Fields of a trajectory that the document has in the format's own words."""
SHORTEST_PROMPT = 16
"""Characters of a tool call's argument by which a subagent's first message is known for it."""


def to_atif(trajectory: Trajectory) -> atif.Document:
    """The document; its class sees to it that the format's rules are kept."""
    found = conversations(trajectory)
    writer = _Writer(trajectory, found.calls)
    steps = writer.steps(found.line) or [_empty_step(trajectory)]
    others = {f"{trajectory.id}/{branch.end}": branch for branch in found.others}
    embedded = [writer.document(id, writer.steps([branch]), branch.tools) for id, branch in others.items()]
    tools = found.line[-1].tools if found.line else trajectory.tools
    document = writer.document(trajectory.id, [_with_refs(step, others) for step in steps], tools)
    return atif.Document.model_validate(
        {
            **document.model_dump(),
            "subagent_trajectories": [one.model_dump() for one in embedded] or None,
            "extra": {
                "reward": trajectory.reward,
                "trajectory": trajectory.model_dump(mode="json", exclude=SAID_IN_STEPS),
            },
        }
    )


class _Writer:
    """The conversations of one trajectory, each after those that it may have its beginning from."""

    def __init__(self, trajectory: Trajectory, calls: Sequence[Call]) -> None:
        self._trajectory, self._calls = trajectory, calls
        self._turns = recorded_turns(trajectory, calls)
        self._written: set[int] = set()
        """Calls whose messages are in a step by now: from here on they are copies."""

    def document(self, id: str, steps: list[atif.Step], tools: list[dict[str, Any]]) -> atif.Document:
        trajectory = self._trajectory
        versions = trajectory.versions
        metrics = [step.metrics for step in steps if step.metrics is not None]
        return atif.Document(
            session_id=trajectory.id,
            trajectory_id=id,
            agent=atif.Agent(
                name=trajectory.scaffold,
                version=versions.get(trajectory.scaffold) or versions.get("agentgym", "unknown"),
                model_name=trajectory.model,
                tool_definitions=tools or None,
            ),
            steps=steps,
            final_metrics=atif.FinalMetrics(
                total_prompt_tokens=sum(one.prompt_tokens or 0 for one in metrics),
                total_completion_tokens=sum(one.completion_tokens or 0 for one in metrics),
                total_steps=len(steps),
            ),
        )

    def steps(self, line: Sequence[Branch]) -> list[atif.Step]:
        steps: list[atif.Step] = []
        for branch in line:
            new = self._branch_steps(branch)
            if steps:
                new[0] = with_extra(new[0], begins_context=True)
            steps += new
            self._written.update(said.call for said in branch.said)
        return [step.model_copy(update={"step_id": n}) for n, step in enumerate(steps, start=1)]

    def _branch_steps(self, branch: Branch) -> list[atif.Step]:
        steps, rest = [], branch.said
        while rest:
            head, *after = rest
            turn = self._turns[head.call] if head.sampled and head.call not in self._written else None
            messages = [said.message for said in after]
            n = n_answers(messages, turn) if head.message["role"] == "assistant" else 0
            steps.append(self._dressed(step_of(head.message, messages[:n], turn), head))
            rest = after[n:]
        return steps

    def _dressed(self, step: atif.Step, head: Said) -> atif.Step:
        """The step with what is known of the call that it comes from."""
        call = self._calls[head.call]
        step = step.model_copy(update={"timestamp": call.started_at.isoformat()})
        if head.call in self._written:
            return step.model_copy(update={"is_copied_context": True})
        if not head.sampled:
            return with_extra(step, is_sampled=False) if step.source == "agent" else step
        if not self._trajectory.messages and not self._trajectory.calls:  # no model was asked
            return step.model_copy(update={"llm_call_count": 0})
        asked = call.model_dump(mode="json", include={"finish_reason", "dialect", "stripped", "duration_s"})
        step = with_extra(step, call={"index": head.call, **asked})
        return step.model_copy(update={"metrics": metrics_of(self._calls, head.call), "llm_call_count": 1})


def _empty_step(trajectory: Trajectory) -> atif.Step:
    """The format wants a step of every trajectory."""
    why = trajectory.error.message if trajectory.error else "the episode ended before its first turn"
    return atif.Step(step_id=1, source="system", message=why, extra={"is_empty": True})


def _with_refs(step: atif.Step, others: dict[str, Branch]) -> atif.Step:
    """The step's results with the subagents that its calls started: they begin with a text from the arguments."""
    results = []
    for result in step.results:
        call = next((call for call in step.tool_calls or () if call.tool_call_id == result.source_call_id), None)
        prompts = [value for value in call.arguments.values() if isinstance(value, str)] if call else []
        refs = [
            atif.SubagentTrajectoryRef(trajectory_id=id)
            for id, branch in others.items()
            if any(len(text) >= SHORTEST_PROMPT and text in _first_request(branch) for text in prompts)
        ]
        results.append(result.model_copy(update={"subagent_trajectory_ref": refs or None}))
    return step.model_copy(update={"observation": atif.Observation(results=results)}) if results else step


def _first_request(branch: Branch) -> str:
    return next((text_of(said.message) for said in branch.said if said.message["role"] == "user"), "")
