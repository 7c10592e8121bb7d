"""What is special to the docker backend; what every backend does is in conformance/."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentgym.errors import ImageError, SandboxError, SandboxUnavailable
from agentgym.protocols import Image, Limits, SandboxSpec
from agentgym.sandbox.docker import labels as docker_labels
from agentgym.sandbox.docker.backend import DockerBackend
from agentgym.sandbox.docker.engine import connect
from agentgym.sandbox.docker.listen import listen, why_not
from agentgym.sandbox.docker.sandbox import DockerSandbox
from agentgym.sandbox.docker.stream import STDERR, STDOUT, AttachedStream
from agentgym.sandbox.shell import Capture, Marker
from tests.require import unavailable
from tests.sandbox.host import eventually, gone, unique_sleep

BASE = Path(__file__).parent.parent / "data" / "base"


@pytest.fixture(scope="session")
def docker_backend() -> DockerBackend:
    backend = DockerBackend()
    if failed := [check.detail for check in backend.doctor() if not check.ok]:
        unavailable("docker", "; ".join(failed))
    return backend


@pytest.fixture
def api(docker_backend: DockerBackend) -> Any:
    return connect()


@pytest.fixture
def start(docker_backend: DockerBackend) -> Iterator[Callable[..., DockerSandbox]]:
    """start(**SandboxSpec overrides): a started sandbox of tests/data/base, stopped after the test."""
    image = docker_backend.build(BASE)
    made: list[DockerSandbox] = []

    def start(**overrides: Any) -> DockerSandbox:
        made.append(docker_backend.create(SandboxSpec(**{"image": image, "ttl_s": 600.0, **overrides})))
        made[-1].start()
        return made[-1]

    yield start
    for sandbox in made:
        sandbox.stop()


# ------------------------------------------------------------------------------------------- without an engine


def test_no_engine_is_one_line_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    (check,) = DockerBackend().doctor()
    assert not check.ok
    assert "scripts/setup-docker.sh" in check.detail
    assert "\n" not in check.detail
    with pytest.raises(SandboxUnavailable, match="no Docker engine answers"):
        DockerBackend().create(SandboxSpec(Image("docker", "any")))


def test_importing_the_backend_does_not_import_the_sdk() -> None:
    program = "import sys, agentgym.sandbox.docker.backend; print('docker' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("there", [True, False])
def test_a_network_that_cannot_be_entered_is_one_line_that_says_what_to_do(tmp_path: Path, there: bool) -> None:
    """No file of the engine's, or one that is no network: the engine is elsewhere, or we are not root."""
    network = tmp_path / "network"
    if there:
        network.touch()
    with pytest.raises(SandboxError, match=r"cannot be entered \(.*\): run agentgym as root") as raised:
        listen(network, 0)
    assert "\n" not in str(raised.value)


def test_doctor_says_where_listen_cannot_work() -> None:
    assert "the engine is on elsewhere" in why_not({"Name": "elsewhere"})
    assert bool(why_not({"Name": socket.gethostname()})) == (os.geteuid() != 0)


def test_markers_are_found_wherever_the_chunks_end() -> None:
    text = b"a\x1eb" + b"\x1enonce begin 7 12.50\n" + b"body\x1enonce junk\n" + b"\x1enonce end 7 0\n" + b"after"
    for size in range(1, len(text) + 1):
        capture, found = Capture("nonce", 1000), []
        for at in range(0, len(text), size):
            found += capture.feed(text[at : at + size])
        assert found == [Marker("begin", 7, "12.50"), Marker("end", 7, "0")]
        assert capture.data() == b"a\x1ebbody\x1enonce junk\nafter"


def attached(early: bytes) -> tuple[AttachedStream, socket.socket]:
    """A stream as the SDK hands it out, `early` still in the reader of the HTTP header; and the engine's end."""
    ours, engines = socket.socketpair()
    reader = SimpleNamespace(raw=SimpleNamespace(_fp=SimpleNamespace(fp=io.BufferedReader(io.BytesIO(early)))))
    reader.close = lambda: None
    return AttachedStream(SimpleNamespace(_sock=ours, _response=reader, close=lambda: None)), engines


def frame(number: int, payload: bytes) -> bytes:
    return bytes([number, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


def test_frames_are_put_together_wherever_the_socket_cut_them() -> None:
    data = frame(STDOUT, b"out") + frame(STDERR, b"err") + frame(STDOUT, b"x" * 1000)
    for cut in range(len(data)):
        stream, engines = attached(data[:cut])
        with engines:
            engines.sendall(data[cut:])
        got = {STDOUT: b"", STDERR: b""}
        while (frames := stream.turn(1.0)) is not None:
            for number, payload in frames:
                got[number] += payload
        assert got == {STDOUT: b"out" + b"x" * 1000, STDERR: b"err"}
        stream.close()


def test_a_silent_stream_times_out_and_a_closed_one_breaks() -> None:
    stream, engines = attached(b"")
    with engines:
        with pytest.raises(TimeoutError):
            stream.recv(0.01)
        stream.close()
        with pytest.raises(BrokenPipeError):
            stream.send(b"x")


def labels(**changes: str) -> dict[str, str]:
    return {**docker_labels.container_labels({}, 60.0), **changes}


def test_stale() -> None:
    assert docker_labels.why_stale(labels(), "running") == ""
    assert docker_labels.why_stale(labels(), "created") == ""
    assert docker_labels.why_stale(labels(), "exited") == "exited"
    assert "dead" in docker_labels.why_stale(labels(**{docker_labels.OWNER_START: "1"}), "running"), "pid was reused"
    old = labels(**{docker_labels.CREATED_AT: "2020-01-01T00:00:00+00:00"})
    assert docker_labels.why_stale(old, "running") == "ttl is over"
    elsewhere = labels(**{docker_labels.OWNER_HOST: "elsewhere", docker_labels.OWNER_START: "1"})
    assert docker_labels.why_stale(elsewhere, "running") == "", "another machine's owner is not ours to judge"


# ---------------------------------------------------------------------------------------------- with an engine


@pytest.mark.docker
def test_container_says_who_owns_it(start: Callable[..., DockerSandbox], api: Any) -> None:
    sandbox = start(labels={"episode": "7"}, ttl_s=99.0)
    found = api.inspect_container(sandbox.id)["Config"]["Labels"]
    assert found["episode"] == "7"
    assert found["agentgym.owner_pid"] == str(os.getpid())
    assert found["agentgym.owner_start"].isdigit()
    assert found["agentgym.ttl_s"] == "99"
    assert found["agentgym.created_at"].startswith("20")


@pytest.mark.docker
def test_container_is_confined(start: Callable[..., DockerSandbox], api: Any) -> None:
    sandbox = start(limits=Limits(memory_mb=300, cpus=0.5, pids=77))
    host = api.inspect_container(sandbox.id)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (300 << 20, 300 << 20)
    assert (host["NanoCpus"], host["PidsLimit"]) == (500_000_000, 77)
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert {"NET_RAW", "MKNOD", "AUDIT_WRITE"} <= set(host["CapDrop"])
    assert host["AutoRemove"]
    assert "NoNewPrivs:\t1" in sandbox.exec("cat /proc/self/status").stdout


@pytest.mark.docker
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({docker_labels.OWNER_START: "1"}, "is dead"),
        ({docker_labels.CREATED_AT: "2020-01-01T00:00:00+00:00"}, "ttl is over"),
    ],
)
def test_prune_removes_what_nobody_owns(
    docker_backend: DockerBackend, start: Callable[..., DockerSandbox], api: Any, change: dict[str, str], why: str
) -> None:
    living = start()
    name = f"agentgym-test-{os.getpid()}"
    created = api.create_container(living.spec.image.ref, ["sleep", "600"], name=name, labels=labels(**change))
    api.start(created)
    removed = docker_backend.prune()
    assert [line for line in removed if name in line and why in line]
    assert not [line for line in removed if living.id in line]
    assert not api.containers(all=True, filters={"name": name})
    assert living.alive()


@pytest.mark.docker
def test_prune_removes_the_snapshots_of_a_dead_owner_alone(
    docker_backend: DockerBackend, start: Callable[..., DockerSandbox], api: Any
) -> None:
    kept = start().snapshot()
    program = (
        "import os, signal; from pathlib import Path; from agentgym.protocols import SandboxSpec\n"
        "from agentgym.sandbox.docker.backend import DockerBackend\n"
        f"backend = DockerBackend(); sandbox = backend.create(SandboxSpec(backend.build(Path({str(BASE)!r}))))\n"
        "sandbox.start(); fork = sandbox.fork().fork()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", program])
    assert owner.wait() == -9
    theirs = {"label": f"{docker_labels.OWNER_PID}={owner.pid}"}
    assert len(api.images(filters=theirs, all=True)) == 2
    assert eventually(lambda: not api.containers(all=True, filters=theirs), timeout_s=20)
    removed = docker_backend.prune()
    assert [line for line in removed if line.startswith("snapshot ") and f"owner {owner.pid} is dead" in line]
    assert api.images(filters=theirs, all=True) == []
    assert start(image=kept).exec("echo here").stdout == "here\n"


@pytest.mark.docker
def test_prune_removes_what_has_exited(
    docker_backend: DockerBackend, start: Callable[..., DockerSandbox], api: Any
) -> None:
    name = f"agentgym-test-{os.getpid()}"
    api.start(api.create_container(start().spec.image.ref, ["true"], name=name, labels=labels()))
    api.wait(name)
    assert f"container {name} (exited)" in docker_backend.prune()


@pytest.mark.docker
def test_sandbox_ends_with_its_owner(docker_backend: DockerBackend) -> None:
    """SIGKILL, and nobody prunes: the engine closes pid 1's stdin."""
    number = unique_sleep()
    program = (
        "import os, signal; from pathlib import Path; from agentgym.protocols import SandboxSpec\n"
        "from agentgym.sandbox.docker.backend import DockerBackend\n"
        f"backend = DockerBackend(); sandbox = backend.create(SandboxSpec(backend.build(Path({str(BASE)!r}))))\n"
        f"sandbox.start(); sandbox.exec('setsid sleep {number} >/dev/null 2>&1 &')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert gone(number, timeout_s=10)


@pytest.mark.docker
def test_memory_limit_is_named_and_a_plain_kill_is_not(start: Callable[..., DockerSandbox]) -> None:
    sandbox = start(limits=Limits(memory_mb=128))
    result = sandbox.exec(["python3", "-c", "x = bytearray(b'x') * (512 << 20)"])
    assert (result.exit_code, result.stderr) == (137, "[sandbox] killed: memory limit of 128 MB\n")
    result = sandbox.exec("kill -KILL $$")
    assert (result.exit_code, result.stderr) == (137, "")


@pytest.mark.docker
def test_storage_is_limited_with_and_without_a_quota(start: Callable[..., DockerSandbox]) -> None:
    sandbox = start(limits=Limits(storage_mb=64))
    alone = sandbox.exec("head -c 100M /dev/zero > /app/large; wc -c < /app/large; rm /app/large")
    assert int(alone.stdout) <= 64 << 20
    together = "for i in $(seq 200); do head -c 16M /dev/urandom > /app/part$i && sleep 0.1 || exit 28; done"
    result = sandbox.exec(together, timeout_s=60)
    assert not result.timed_out
    assert result.exit_code in (28, 137)
    assert result.exit_code == 28 or "storage limit of 64 MB" in result.stderr
    assert sandbox.alive()
    assert eventually(lambda: sandbox.exec("rm -f /app/part* && echo freed").stdout == "freed\n")


@pytest.mark.docker
def test_prebuilt_image_by_name(docker_backend: DockerBackend) -> None:
    assert docker_backend.image("python:3.11-bookworm").env["LANG"] == "C.UTF-8"
    with pytest.raises(ImageError, match="no-such-image-of-ours"):
        docker_backend.image("no-such-image-of-ours:1")


@pytest.mark.docker
def test_image_without_bash_says_so(docker_backend: DockerBackend, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    sandbox = docker_backend.create(SandboxSpec(docker_backend.build(tmp_path)))
    with pytest.raises(ImageError, match="bash"):
        sandbox.start()


@pytest.mark.docker
def test_flood_during_a_timeout_neither_blocks_nor_fills_memory(start: Callable[..., DockerSandbox]) -> None:
    sandbox = start(limits=Limits(output_bytes=1000))
    started = time.monotonic()
    result = sandbox.exec("yes & yes >&2 & (trap '' TERM; setsid yes) & sleep 60", timeout_s=1)
    assert (result.timed_out, len(result.stdout), len(result.stderr)) == (True, 1000, 1000)
    assert time.monotonic() - started < 10
