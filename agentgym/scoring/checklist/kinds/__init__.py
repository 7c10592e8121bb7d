"""The kinds of checks, by what they look at. To import this is to register them all."""

from agentgym.scoring.checklist.kinds import (
    arguments,
    changes,
    code,
    commands,
    commits,
    compose,
    counts,
    format,
    order,
    plan,
    priority,
    text,
    tools,
)

__all__ = [
    "arguments",
    "changes",
    "code",
    "commands",
    "commits",
    "compose",
    "counts",
    "format",
    "order",
    "plan",
    "priority",
    "text",
    "tools",
]
