"""Each rule of the format is broken once, and said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentgym.views.atif_schema import problems

Document = dict[str, Any]


def document() -> Document:
    call = {"tool_call_id": "1", "function_name": "f", "arguments": {}}
    results = [{"source_call_id": "1", "content": "x"}]
    return {
        "schema_version": "ATIF-v1.7",
        "trajectory_id": "t",
        "agent": {"name": "a", "version": "1"},
        "steps": [
            {"step_id": 1, "source": "system", "message": "Work.", "timestamp": "2026-01-02T12:00:00+00:00"},
            {"step_id": 2, "source": "user", "message": [{"type": "text", "text": "Go."}]},
            {"step_id": 3, "source": "agent", "message": "", "tool_calls": [call], "observation": {"results": results}},
            {"step_id": 4, "source": "agent", "message": "done", "llm_call_count": 1, "metrics": {"prompt_tokens": 1}},
        ],
    }


def subagent(id: str | None = "s") -> Document:
    return {**document(), "trajectory_id": id}


def ref(**values: str) -> Document:
    return {"content": "x", "subagent_trajectory_ref": [values]}


def test_a_document_of_every_part_keeps_the_rules() -> None:
    whole = document()
    whole["subagent_trajectories"] = [subagent()]
    whole["steps"][2]["observation"]["results"] += [ref(trajectory_id="s"), ref(trajectory_path="elsewhere.json")]
    whole["continued_trajectory_ref"] = "run-cont-1.json"
    whole["final_metrics"] = {"total_steps": 4}
    image = {"media_type": "image/png", "path": "a.png"}
    whole["steps"][1]["message"].append({"type": "image", "source": image})
    whole["steps"][0]["observation"] = {"results": [{"content": "an event of the system's"}]}
    assert problems(whole) == []


def change(path: str, value: Any) -> Callable[[Document], None]:
    def apply(data: Document) -> None:
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        at: Any = data
        for part in way:
            at = at[part]
        at[last] = value

    return apply


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (change("schema_version", "ATIF-v1.8"), "schema_version: Input should be 'ATIF-v1.7'"),
        (change("steps", []), "steps: List should have at least 1 item"),
        (change("steps.1.step_id", 3), "found step_id 3 at step 2"),
        (change("steps.0.step_id", 0), "steps.0.step_id: Input should be greater than or equal to 1"),
        (change("steps.0.timestamp", "noon"), "steps.0.timestamp: Value error, Invalid isoformat string: 'noon'"),
        (change("steps.0.source", "tool"), "steps.0.source: Input should be 'system', 'user' or 'agent'"),
        (change("steps.1.colour", "red"), "steps.1.colour: Extra inputs are not permitted"),
        (change("agent.colour", "red"), "agent.colour: Extra inputs are not permitted"),
        (change("steps.1.model_name", "m"), "model_name is of agent steps alone, and this is a user step"),
        (change("steps.0.reasoning_content", "hm"), "reasoning_content is of agent steps alone"),
        (change("steps.0.reasoning_effort", 0.5), "reasoning_effort is of agent steps alone"),
        (change("steps.1.tool_calls", []), "tool_calls is of agent steps alone"),
        (change("steps.0.metrics", {}), "metrics is of agent steps alone"),
        (change("steps.1.observation", {"results": []}), "observation is of agent and system steps alone"),
        (change("steps.3.llm_call_count", 0), "llm_call_count is 0, so there can be no metrics"),
        (change("steps.3.llm_call_count", -1), "steps.3.llm_call_count: Input should be greater than or equal to 0"),
        (change("steps.2.tool_calls.0.arguments", "{}"), "steps.2.tool_calls.0.arguments: Input should be a valid dict"),
        (change("steps.2.tool_calls.0.tool_call_id", "2"), "source_call_id '1' is no tool call of this step"),
        (change("steps.3.observation", {"results": [{"source_call_id": "1"}]}), "steps.3: Value error, source_call_id '1'"),
        (change("steps.2.observation.results.0", ref(session_id="s")), "wanted a trajectory_id or a trajectory_path"),
        (change("steps.2.observation.results.0", ref(trajectory_id="s")), "step 3 refers to subagent 's', not in here"),
        (change("subagent_trajectories", [subagent(None)]), "subagent 0 has no trajectory_id"),
        (change("subagent_trajectories", [subagent(), subagent()]), "more than one subagent has the trajectory_id 's'"),
        (change("continued_trajectory_ref", "run.json"), "wanted a name that ends in -cont-N"),
        (change("steps.1.message.0", {"type": "text"}), "a part of type text has its text or its source"),
        (change("steps.1.message.0", {"type": "image", "text": "x"}), "a part of type image has its text or its source"),
        (change("steps.3.metrics.reward", 1.0), "steps.3.metrics.reward: Extra inputs are not permitted"),
        (change("final_metrics", {"total_steps": -1}), "final_metrics.total_steps"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_said(broken: Callable[[Document], None], said: str) -> None:
    data = document()
    broken(data)
    assert said in "\n".join(problems(data))


def test_every_broken_rule_is_a_line() -> None:
    data = document()
    change("steps.1.model_name", "m")(data)
    change("steps.3.llm_call_count", 0)(data)
    change("agent.colour", "red")(data)
    assert len(problems(data)) == 3
    assert problems([]) == ["document: Input should be a valid dictionary or instance of Document"]
