"""Agents as folders of this machine: each is installed once, and mounted into sandboxes from then on.

The network is on where images are built and nowhere else, so an install is the build of an image, out of which the
program is then taken. It knows neither how an agent is run nor what its install does.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from agentgym.errors import ImageError, UsageError
from agentgym.protocols import Backend, Limits, SandboxSpec
from agentgym.sandbox.cache import cache_folder, locked
from scaffolds.external.spec import AgentSpec

TIMEOUT_S = 900.0
_MEMORY_MB = 4096
_DOCKERFILE = """FROM python:3.11-bookworm
ENV PREFIX={prefix} VERSION={version}
COPY install.sh /opt/install.sh
RUN mkdir -p $PREFIX && bash -euo pipefail /opt/install.sh
"""


def prefix(spec: AgentSpec) -> str:
    """Where the program lies, in the sandbox that it is installed in and in those that it is mounted into."""
    return f"/opt/agents/{spec.name}"


def installed(spec: AgentSpec, backend: Backend) -> Path:
    """The folder to mount at `prefix`; installed by way of `backend` where this machine has none yet.

    What one backend has installed serves all. Raises UsageError where the install fails, and SandboxError.
    """
    folder = cache_folder() / "agents" / spec.install_key
    with locked(folder):
        if not folder.exists():
            partial = folder.with_name(f"{folder.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)  # of an install that was killed
            try:
                _install(spec, backend, partial)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return folder


def _install(spec: AgentSpec, backend: Backend, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="agentgym-install-") as name:
        context = Path(name)
        (context / "Dockerfile").write_text(_DOCKERFILE.format(prefix=prefix(spec), version=spec.version))
        (context / "install.sh").write_text(spec.install)
        try:
            image = backend.build(context, timeout_s=TIMEOUT_S, memory_mb=_MEMORY_MB)
        except ImageError as error:
            raise UsageError(f"agent {spec.name} {spec.version} cannot be installed: {error}") from error
    sandbox = backend.create(SandboxSpec(image, Limits(memory_mb=_MEMORY_MB)))
    try:
        sandbox.start()
        sandbox.download(prefix(spec), target)
    finally:
        sandbox.stop()
    if not any(target.iterdir()):
        raise UsageError(f"agent {spec.name}: its install left nothing in $PREFIX, wanted its program there")
