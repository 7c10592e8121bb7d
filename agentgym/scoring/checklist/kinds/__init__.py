"""The kinds of checks, by what they look at. To import this is to register them all."""

from agentgym.scoring.checklist.kinds import compose, tools

__all__ = ["compose", "tools"]
