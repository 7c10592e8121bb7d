"""Every error agentgym raises, attributed to its owner.

    AgentGymError
    ├── UsageError              the caller can fix it: one line, no traceback, exit code 2
    │   ├── TaskError           a task folder or dataset row is malformed
    │   └── ImageError          an environment/Dockerfile cannot be built here, or a step of it failed
    ├── SandboxError            infrastructure: reward None, never 0; exit code 3
    │   ├── SandboxUnavailable  the backend does not work on this machine
    │   └── SandboxLost         a running sandbox died under the episode
    ├── ModelError              the model behind the agent failed; exit code 3
    ├── AgentError              the agent's own program failed: what it left is graded all the same
    └── GraderError             the verifier gave no trustworthy verdict: reward None; exit code 3

A message says what was found, what was wanted, and what to do. A command's non-zero exit code is not an error
(it is an `ExecResult`), and the model's own mistakes are observations, not errors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class AgentGymError(Exception):
    """Root of the tree."""


class UsageError(AgentGymError):
    """The caller can fix it. Printed as one line."""


class TaskError(UsageError):
    """A task folder or dataset row is malformed."""


class ImageError(UsageError):
    """A Dockerfile asks for what this backend does not have, or one of its steps failed."""


class SandboxError(AgentGymError):
    """Infrastructure failed; never the agent's doing."""


class SandboxUnavailable(SandboxError):
    """The backend does not work on this machine; `agentgym doctor` says why."""


class SandboxLost(SandboxError):
    """A running sandbox died."""


class ModelError(AgentGymError):
    """The model gave no reply."""

    context_overflow = False
    """The prompt does not fit the model's window: the episode ends as that, and not as an infrastructure failure."""
    retry_after_s: float | None = None
    """It is busy (taking in new weights, say): the same request may pass then."""


class AgentError(AgentGymError):
    """The agent's own program crashed, hung without asking the model, or could not be started."""


class GraderError(AgentGymError):
    """The verifier gave no trustworthy verdict."""


@contextlib.contextmanager
def model_failures() -> Iterator[None]:
    """Around calls of a model: the failures of one that does not know our classes become ModelErrors.

    A package that does not import agentgym (`policy` may not) gives its exceptions the attribute `context_overflow`,
    true or false, by which they are told from its faults.
    """
    try:
        yield
    except AgentGymError:
        raise
    except Exception as error:
        if not hasattr(error, "context_overflow"):
            raise
        failure = ModelError(str(error))
        failure.context_overflow = bool(error.context_overflow)
        failure.retry_after_s = getattr(error, "retry_after_s", None)
        raise failure from error
