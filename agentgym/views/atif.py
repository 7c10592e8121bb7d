"""A trajectory as an ATIF v1.7 document; `atif_reading.py` is the way back.

The main conversation is the document, other conversations are embedded as subagents. Where history was rewritten the
document goes on with the new history, and what of it was there before is marked `is_copied_context`. The format has no
place for the rest of a trajectory, which is kept under `extra`; what the gateway knows beyond replies (requests that
failed, how forks share their beginnings) is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentgym.trajectory import Trajectory
from agentgym.views import atif_schema as atif
from agentgym.views.atif_metrics import metrics_of
from agentgym.views.atif_steps import n_answers, step_of, with_extra
from agentgym.views.conversation import Branch, Conversations, Said, conversations
from agentgym.views.turns import recorded_turns, text_of

SAID_IN_STEPS = {"messages", "tools", "turns", "calls"}
"""Fields of a trajectory that the document has in the format's own words."""
SHORTEST_PROMPT = 16
"""Characters of a tool call's argument by which a subagent's first message is known for it."""


def to_atif(trajectory: Trajectory) -> atif.Document:
    """The document; its class sees to it that the format's rules are kept."""
    found = conversations(trajectory)
    writer = _Writer(trajectory, found)
    steps = writer.steps(found.line) or [_empty_step(trajectory)]
    others = {f"{trajectory.id}/{branch.end}": branch for branch in found.others}
    embedded = [writer.document(id, writer.steps([branch]), branch.tools) for id, branch in others.items()]
    tools = found.line[-1].tools if found.line else trajectory.tools
    return writer.document(
        trajectory.id,
        [_with_refs(step, others) for step in steps],
        tools,
        subagent_trajectories=embedded or None,
        extra={"reward": trajectory.reward, "trajectory": trajectory.model_dump(mode="json", exclude=SAID_IN_STEPS)},
    )


class _Writer:
    """The conversations of one trajectory, each after those that it may have its beginning from."""

    def __init__(self, trajectory: Trajectory, found: Conversations) -> None:
        self._trajectory, self._calls = trajectory, found.calls
        self._turns = recorded_turns(trajectory, found.calls, found.line)
        self._written: set[tuple[int, int]] = set()
        """Call and place in the conversation of messages that are in a step by now: from here on they are copies."""

    def document(self, id: str, steps: list[atif.Step], tools: list[dict[str, Any]], **more: Any) -> atif.Document:
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
            **more,
        )

    def steps(self, line: Sequence[Branch]) -> list[atif.Step]:
        steps: list[atif.Step] = []
        for branch in line:
            new = self._branch_steps(branch)
            if steps:
                new[0] = with_extra(new[0], begins_context=True)
            steps += new
            self._written.update((said.call, place) for place, said in enumerate(branch.said))
        return [step.model_copy(update={"step_id": n}) for n, step in enumerate(steps, start=1)]

    def _branch_steps(self, branch: Branch) -> list[atif.Step]:
        steps = []
        messages = branch.messages
        place = 0
        while place < len(messages):
            head = branch.said[place]
            is_copy = (head.call, place) in self._written
            turn = self._turns[head.call] if head.sampled and not is_copy else None
            rest = messages[place + 1 :]
            n = n_answers(rest, turn) if head.message["role"] == "assistant" else 0
            step = step_of(head.message, rest[:n], turn)
            steps.append(step.model_copy(update=self._facts(step, head, is_copy=is_copy)))
            place += 1 + n
        return steps

    def _facts(self, step: atif.Step, head: Said, *, is_copy: bool) -> dict[str, Any]:
        """What is known of the call that a step comes from."""
        call = self._calls[head.call]
        facts: dict[str, Any] = {"timestamp": call.started_at.isoformat()}
        if is_copy:
            return {**facts, "is_copied_context": True}
        if not head.sampled:
            return {**facts, "extra": with_extra(step, is_sampled=False).extra} if step.source == "agent" else facts
        if not self._trajectory.messages and not self._trajectory.calls:  # no model was asked
            return {**facts, "llm_call_count": 0}
        asked = call.model_dump(mode="json", include={"finish_reason", "dialect", "stripped", "duration_s"})
        extra = with_extra(step, call={"index": head.call, **asked}).extra
        return {**facts, "llm_call_count": 1, "metrics": metrics_of(self._calls, head.call), "extra": extra}


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
