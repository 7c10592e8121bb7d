from __future__ import annotations

from agentgym.env import Episode
from agentgym.protocols import ToolContext
from scaffolds.memory import Plan

ITEMS = [
    {"text": "Reproduce", "status": "done"},
    {"text": "Fix\n parse", "status": "in_progress"},
    {"text": "Test"},
]
SHOWN = "[x] Reproduce\n[>] Fix parse\n[ ] Test"


def test_the_plan_is_shown_back_and_recalled(episode: Episode, context: ToolContext) -> None:
    plan = Plan(episode)
    [tool] = plan.tools
    assert plan.recall() == ""
    assert tool.call({"items": ITEMS}, context).content == SHOWN
    assert plan.recall() == f"# Your plan\n\n{SHOWN}\n"
    tool.call({"items": ITEMS[:1]}, context)
    assert plan.recall() == "# Your plan\n\n[x] Reproduce\n"


def test_a_bad_plan_leaves_the_one_before(episode: Episode, context: ToolContext) -> None:
    plan = Plan(episode)
    plan.tools[0].call({"items": ITEMS}, context)
    for items in ([], [{"text": "x", "status": "maybe"}], [{"text": "x"}] * 41, "Fix"):
        assert plan.tools[0].call({"items": items}, context).is_error
    assert SHOWN in plan.recall()


def test_each_episode_has_its_own(episode: Episode, context: ToolContext) -> None:
    first, second = Plan(episode), Plan(episode)
    first.tools[0].call({"items": ITEMS}, context)
    assert second.recall() == ""
