"""What an agent remembers, in three kinds; each part matches a Protocol and can be replaced by another.

protocols               WorkingMemory, and Memory for what outlives it
window                  working: the messages that the model is sent
plan  notes             episodic: what the model set down during the episode
rules  skills           from the repository: AGENTS.md and CLAUDE.md, SKILL.md
files                   reading files that nobody vouches for
"""

from scaffolds.memory.notes import Notes
from scaffolds.memory.plan import Plan
from scaffolds.memory.protocols import Memory, WorkingMemory
from scaffolds.memory.rules import Rules
from scaffolds.memory.skills import Skills
from scaffolds.memory.window import Window

__all__ = ["Memory", "Notes", "Plan", "Rules", "Skills", "Window", "WorkingMemory"]
