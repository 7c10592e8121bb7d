"""Fixtures for every test folder: the sandbox backends, an image to start from, sandboxes that are always stopped."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import agentgym.sandbox
from agentgym.protocols import Backend, Image, Sandbox, SandboxSpec
from tests.require import unavailable
from tests.sandbox.backends import make_backend

# triton reads this when it is imported, which torch and transformers do at odd times; TRITON_INTERPRET=1 wins
os.environ.setdefault("TRITON_INTERPRET", "0" if Path("/dev/nvidiactl").exists() else "1")
os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")  # as it always was; triton 3.9 warns where nobody says so

# a shell that starts the tests with `&` or nohup ignores these for all that the tests start
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

BASE = Path(__file__).parent / "data" / "base"
FROM = "FROM python:3.11-bookworm\n"
SANDBOX_CODE = Path(agentgym.sandbox.__file__).parent


@pytest.fixture(scope="session", params=["namespaces", pytest.param("docker", marks=pytest.mark.docker)])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend that works here."""
    backend = make_backend(request.param)
    if failed := [f"{check.name}: {check.detail}" for check in backend.doctor() if not check.ok]:
        unavailable(request.param, "; ".join(failed))
    return backend


@pytest.fixture(scope="session")
def image(backend: Backend) -> Image:
    """tests/data/base, built once (and cached between runs)."""
    return backend.build(BASE)


@pytest.fixture
def build(backend: Backend, tmp_path: Path) -> Callable[..., Image]:
    """build(dockerfile, {path: contents}, **build options): an image of a context made for this test.

    Its cache key holds our own code, so that no layer built by yesterday's code answers for today's.
    """
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(SANDBOX_CODE.rglob("*.py")))).hexdigest()[:12]

    def build(dockerfile: str, files: dict[str, str | bytes] | None = None, **options: Any) -> Image:
        context = tmp_path / "context"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(dockerfile.replace(FROM, f"{FROM}ENV TEST_OF={code}\n", 1))
        for name, content in (files or {}).items():
            path = context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return backend.build(context, **options)

    return build


@pytest.fixture
def create_sandbox(backend: Backend, image: Image) -> Iterator[Callable[..., Sandbox]]:
    """create_sandbox(**SandboxSpec overrides): a sandbox that is not started yet; stopped after the test."""
    made: list[Sandbox] = []

    def create(**overrides: Any) -> Sandbox:
        sandbox = backend.create(SandboxSpec(**{"image": image, "ttl_s": 600.0, **overrides}))
        made.append(sandbox)
        return sandbox

    yield create
    for sandbox in made:
        sandbox.stop()


@pytest.fixture
def make_sandbox(create_sandbox: Callable[..., Sandbox]) -> Callable[..., Sandbox]:
    """make_sandbox(**SandboxSpec overrides): a started sandbox; stopped after the test."""

    def make(**overrides: Any) -> Sandbox:
        sandbox = create_sandbox(**overrides)
        sandbox.start()
        return sandbox

    return make


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A started sandbox with default limits and no network."""
    return make_sandbox()


@pytest.fixture
def forks(sandbox: Sandbox) -> Iterator[Callable[..., Sandbox]]:
    """forks(of=sandbox): a fork, stopped after the test."""
    made: list[Sandbox] = []

    def fork(of: Sandbox = sandbox) -> Sandbox:
        made.append(of.fork())
        return made[-1]

    yield fork
    for sandbox_ in made:
        sandbox_.stop()
