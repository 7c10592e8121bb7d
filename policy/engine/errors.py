"""What an engine may answer instead of tokens.

EngineError
├── RequestError     this request can never be served here (also a ValueError)
├── QueueFull        too many requests wait already; `submit` waits instead
└── EngineStopped    the engine is not running, or a step of it failed
"""

from __future__ import annotations


class EngineError(Exception):
    """The root; the text says what was found, what is allowed and what to do."""


class RequestError(EngineError, ValueError):
    pass


class QueueFull(EngineError):
    pass


class EngineStopped(EngineError):
    pass
