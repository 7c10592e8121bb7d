"""`docker build` of a task's environment/ folder, followed step by step."""

from __future__ import annotations

import hashlib
import logging
import re
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentgym.errors import ImageError, SandboxError
from agentgym.sandbox.docker.engine import REQUEST_TIMEOUT_S, SETUP, connect, engine_errors
from agentgym.sandbox.docker.labels import IMAGE

logger = logging.getLogger(__name__)

TAIL_LINES = 30
"""Of a failed step's output, in the error."""
_HERE_DOCUMENT = re.compile(r"^\s*(RUN|COPY)\b.*<<-?['\"]?\w", re.IGNORECASE | re.MULTILINE)


def build(context: Path, *, timeout_s: float, memory_mb: int) -> str:
    """Id of the image of `context`/Dockerfile, cached by the engine. Raises ImageError, SandboxError.

    Steps have the machine's own network. The connection is this build's alone: closing it is how the engine learns to
    cancel, when time is up or this process ends.
    """
    dockerfile = context / "Dockerfile"
    if not dockerfile.is_file():
        raise ImageError(f"{dockerfile}: not found; an environment/ folder needs a Dockerfile")
    api = connect(timeout_s=max(REQUEST_TIMEOUT_S, timeout_s), keep_alive=True)
    responses: list[Any] = []
    api.hooks["response"].append(lambda response, **_: responses.append(response))
    timer = threading.Timer(timeout_s, lambda: [response.raw.shutdown() for response in responses])
    timer.start()
    started = time.monotonic()
    progress = _Progress(dockerfile)
    try:
        for event in _events(api, context, memory_mb):
            progress.take(event)
    except SandboxError:
        if time.monotonic() - started < timeout_s:
            raise
    finally:
        timer.cancel()
        for response in responses:
            response.close()
        api.close()
    if not progress.image_id:
        raise ImageError(f"{dockerfile}: the build took longer than {timeout_s:g} s; it was at {progress.where()}: "
                         f"make that step shorter or allow more time{progress.tail()}")  # fmt: skip
    return progress.image_id


class _Progress:
    """Which step a build is at, and what that step has written."""

    def __init__(self, dockerfile: Path) -> None:
        self.image_id = ""
        self._dockerfile = dockerfile
        self._step = ""
        self._output: list[str] = []

    def take(self, event: dict[str, Any]) -> None:
        text: str = event.get("stream", "")
        if text.startswith("Step "):
            self._step, self._output = text.strip().removeprefix("Step "), []
            logger.info("%s: step %s", self._dockerfile, self._step)
        elif not text.startswith(" ---> "):
            self._output.append(text)
        self.image_id = event.get("aux", {}).get("ID", self.image_id)
        if "error" in event:
            raise ImageError(
                f"{self._dockerfile}: {self.where()} failed: {event['error'].strip()}{self._advice()}{self.tail()}"
            )

    def where(self) -> str:
        return f"step {self._step}" if self._step else "its beginning"

    def tail(self) -> str:
        lines = "".join(self._output).splitlines()[-TAIL_LINES:]
        return "".join(f"\n  {line}" for line in lines)

    def _advice(self) -> str:
        if " : FROM " not in f"{self._step} ":
            return ""
        return f" (the base image is not on this machine and cannot be pulled: docker load it, or {SETUP})"


def _events(api: Any, context: Path, memory_mb: int) -> Iterator[dict[str, Any]]:
    """What the engine says about the build."""
    import docker.errors
    import urllib3.exceptions

    with engine_errors(f"build {context}"):
        try:
            yield from api.build(
                path=str(context),
                tag=f"agentgym/{_content_hash(context)}",
                labels={IMAGE: "true"},
                network_mode="host",
                container_limits={"memory": memory_mb << 20, "memswap": memory_mb << 20},
                rm=True,
                forcerm=True,
                decode=True,
            )
        except docker.errors.APIError as error:  # before its first step: what the Dockerfile says makes no sense
            dockerfile = context / "Dockerfile"
            advice = ""
            if _HERE_DOCUMENT.search(dockerfile.read_text(errors="replace")):
                advice = "; here-documents (<<) need BuildKit, which this engine's API has not: COPY a file instead"
            raise ImageError(f"{dockerfile}: {error.explanation}{advice}") from None
        except urllib3.exceptions.HTTPError as error:
            raise SandboxError(f"build {context}: the Docker engine broke off: {error}") from None


def _content_hash(context: Path) -> str:
    """Of every path, mode and content: what the image is tagged with."""
    digest = hashlib.sha256()
    for path in sorted(context.rglob("*")):
        mode = path.lstat().st_mode
        digest.update(f"{path.relative_to(context)}\0{mode:o}\0".encode("utf-8", "surrogateescape"))
        if stat.S_ISLNK(mode):
            digest.update(str(path.readlink()).encode("utf-8", "surrogateescape"))
        elif stat.S_ISREG(mode):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
