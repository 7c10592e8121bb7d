"""The peers, each driven as its users drive it. A peer that is not there ends the benchmark with one line."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import httpx

from agentgym.sandbox.cache import cache_folder

IMAGE = "python:3.11-bookworm"
RUN = ("run", "-d", "--rm", "--network", "none")
"""`docker run` of what no sandbox of ours has either: a network."""


def need(what: str, how: str) -> SystemExit:
    return SystemExit(f"{what} is missing, and a benchmark without its peer says nothing: {how}")


def docker(*words: str) -> str:
    """The docker command-line client; its stdout."""
    run = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"docker {' '.join(words)}: {run.stderr.strip()}")
    return run.stdout.strip()


def container() -> str:
    """A new one that sleeps; its id."""
    return docker(*RUN, IMAGE, "sleep", "3600")


def check_docker() -> str:
    """The engine's version."""
    if shutil.which("docker") is None:
        raise need("docker", "run scripts/setup-docker.sh")
    run = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False)
    if run.returncode:
        raise need(f"a docker engine with the image {IMAGE}", "run scripts/setup-docker.sh")
    return docker("version", "--format", "{{.Server.Version}}")


class Peer:
    """A peer's own Python program in a virtual environment of its own: it does one unit of work for each line that it
    gets and answers with one line of JSON, so that it can take turns with what it is held against."""

    def __init__(self, name: str, packages: tuple[str, ...], script: str, *arguments: str) -> None:
        python = _environment(name, packages)
        environment = {**os.environ, "MSWEA_SILENT_STARTUP": "1", "MSWEA_GLOBAL_CONFIG_DIR": str(python.parents[1])}
        self._process = subprocess.Popen(
            [str(python), "-c", script, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.version = str(self.ask()["version"])

    def ask(self) -> dict[str, float | str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the peer's program ended; its last words are above")
        answer: dict[str, float | str] = json.loads(line)
        return answer

    def ms(self, what: str) -> float:
        """One more unit of work; how long the part `what` of it took, as the peer timed it."""
        return 1000 * float(self.ask()[what])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate()


def _environment(name: str, packages: tuple[str, ...]) -> Path:
    """The Python of a virtual environment with these packages of the index, made once."""
    folder = cache_folder() / "benchmarks" / name
    python, made = folder / "bin" / "python", folder / "made-of"
    if not made.exists() or made.read_text() != " ".join(packages):
        progress(f"installing {' '.join(packages)} into {folder}")
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages]
        run = subprocess.run(install, capture_output=True, text=True, check=False)
        if run.returncode:
            raise need(" ".join(packages), run.stderr.strip()[-300:])
        made.write_text(" ".join(packages))
    return python


def swe_rex() -> Peer:
    """Starts its local bash session (no isolation) and runs `true` in it ten times."""
    return Peer("swe-rex", ("swe-rex==1.4.0",), _SWE_REX)


def mini_swe_agent(n_commands: int) -> Peer:
    """One episode's worth of its docker environment: start, `true` as often as told, clean up."""
    return Peer("mini-swe-agent", ("mini-swe-agent==2.4.6",), _MINI_SWE_AGENT, IMAGE, str(n_commands))


LITELLM = "1.100.0"


@contextmanager
def litellm(behind: int) -> Iterator[int]:
    """Its proxy, one worker, in front of the OpenAI-shaped server at that port; the proxy's own port."""
    python = _environment("litellm", (f"litellm[proxy]=={LITELLM}",))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    entry = {"model": "openai/scripted", "api_base": f"http://127.0.0.1:{behind}/v1", "api_key": "none"}
    config = {"model_list": [{"model_name": "scripted", "litellm_params": entry}]}
    with TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(json.dumps(config))  # which is YAML too
        words = [str(python.with_name("litellm")), "--config", str(file), "--host", "127.0.0.1", "--port", str(port)]
        environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
        proxy = subprocess.Popen(
            [*words, "--num_workers", "1", "--telemetry", "False"], cwd=folder, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            _wait_until_alive(proxy, f"http://127.0.0.1:{port}/health/liveliness")
            yield port
        finally:
            proxy.terminate()
            proxy.communicate()


def _wait_until_alive(server: subprocess.Popen[str], url: str) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(url, trust_env=False).is_success:
                return
        time.sleep(0.2)
    server.kill()
    _, said = server.communicate()
    raise need("LiteLLM's proxy", f"it did not start: {said.strip()[-300:]}")


_SWE_REX = """
import asyncio, json, statistics, sys, time
from importlib.metadata import version
from swerex.runtime.abstract import BashAction, CloseSessionRequest, CreateBashSessionRequest
from swerex.runtime.local import LocalRuntime

async def main():
    runtime = LocalRuntime()
    for _ in sys.stdin:
        samples, began = [], time.perf_counter()
        await runtime.create_session(CreateBashSessionRequest())
        start = time.perf_counter() - began
        for _ in range(10):
            began = time.perf_counter()
            await runtime.run_in_session(BashAction(command="true"))
            samples.append(time.perf_counter() - began)
        await runtime.close_session(CloseSessionRequest())
        command = statistics.median(samples)
        print(json.dumps({"version": version("swe-rex"), "start": start, "command": command}), flush=True)

asyncio.run(main())
"""

# its cleanup stops the container in the background, which takes 10 s: ours goes first, so that the next turn is quiet
_MINI_SWE_AGENT = """
import json, logging, subprocess, sys, time
from minisweagent import __version__
from minisweagent.environments.docker import DockerEnvironment

logging.disable(logging.INFO)  # it logs on stdout
image, n_commands = sys.argv[1], int(sys.argv[2])
for _ in sys.stdin:
    began = time.perf_counter()
    environment = DockerEnvironment(image=image, cwd="/tmp")
    start = time.perf_counter() - began
    for _ in range(n_commands):
        environment.execute({"command": "true"})
    episode = time.perf_counter() - began
    subprocess.run(["docker", "rm", "-f", environment.container_id], capture_output=True, check=True)
    environment.container_id = None
    print(json.dumps({"version": __version__, "start": start, "episode": episode}), flush=True)
"""


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
