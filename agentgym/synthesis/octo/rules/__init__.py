"""The rules that tasks are made of, by what they are about.

speech   every reply              answer   the last reply to the user     process  what is done, and in which order
git      branches and commits     code     functions                      companions   tests, news and pages
tools    how tools are called     judged   what only a judge can tell
"""

from __future__ import annotations

from agentgym.synthesis.octo.rule import Rule
from agentgym.synthesis.octo.rules import answer, code, companions, git, judged, process, speech, tools

RULES: tuple[Rule, ...] = (
    *speech.RULES,
    *answer.RULES,
    *process.RULES,
    *git.RULES,
    *code.RULES,
    *companions.RULES,
    *tools.RULES,
    *judged.RULES,
)
"""All of them; names differ."""
