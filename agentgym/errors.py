"""Every error agentgym raises, attributed to its owner.

    AgentGymError
    ├── UsageError              the caller can fix it: one line, no traceback, exit code 2
    │   ├── TaskError           a task folder or dataset row is malformed
    │   └── ImageError          an environment/Dockerfile cannot be built here, or a step of it failed
    ├── SandboxError            infrastructure: reward None, never 0; exit code 3
    │   ├── SandboxUnavailable  the backend does not work on this machine
    │   └── SandboxLost         a running sandbox died under the episode
    ├── ModelError              the model behind the agent failed; exit code 3
    └── GraderError             the verifier gave no trustworthy verdict: reward None; exit code 3

A message says what was found, what was wanted, and what to do. A command's non-zero exit code is not an error
(it is an `ExecResult`), and the model's own mistakes are observations, not errors.
"""

from __future__ import annotations


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


class GraderError(AgentGymError):
    """The verifier gave no trustworthy verdict."""
