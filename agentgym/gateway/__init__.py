"""The one place where models are asked and what they said is recorded: in this process, or over HTTP."""

from agentgym.gateway.gateway import Gateway
from agentgym.gateway.journal import Journal
from agentgym.gateway.session import Budget, BudgetExceeded, Endpoint, Session, SessionSealed, Wire

__all__ = ["Budget", "BudgetExceeded", "Endpoint", "Gateway", "Journal", "Session", "SessionSealed", "Wire"]
