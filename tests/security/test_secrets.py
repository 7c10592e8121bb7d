"""Attempts to read what belongs to the host or to another episode."""

from __future__ import annotations

import ctypes
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentgym.protocols import Image, Sandbox
from tests.security.attempt import attempt

pytestmark = pytest.mark.security

HOST_PLACES = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/srv", "/mnt", "/media", "/home", "/opt", "/var/lib", "/etc"]
SECRETS = [
    "~/.ssh/*",
    "~/.netrc",
    "~/.aws/*",
    "~/.gnupg/*",
    "~/.git-credentials",
    "~/.gitconfig",
    "~/.docker/config.json",
    "~/.pypirc",
    "~/.config/pip/pip.conf",
    "~/.config/gcloud/*",
    "~/.kube/config",
    "~/.bash_history",
    "~/.cache/huggingface/token",
    "/etc/ssh/ssh_host_*",
    "/etc/ssl/private/*",
    "/etc/sudoers",
    "/etc/gshadow",
    "/etc/machine-id",
    "/run/secrets/**/*",
    "/var/run/secrets/**/*",
]


@pytest.fixture
def canary() -> str:
    return f"agentgym-canary-{secrets.token_hex(8)}"


@pytest.fixture
def planted(canary: str, tmp_path: Path) -> Iterator[list[Path]]:
    """Files named and filled with the canary wherever the test may write on the host."""
    made = []
    for place in (str(tmp_path), str(Path.home()), *HOST_PLACES):
        path = Path(place) / f".{canary}"
        try:
            path.write_text(canary)
        except OSError:
            continue
        made.append(path)
    yield made
    for path in made:
        path.unlink()


def test_host_files(make_sandbox: Callable[..., Sandbox], planted: list[Path], canary: str) -> None:
    """Planted before the start; read by their own path and by others that may lead to the same place."""
    assert len(planted) >= 3
    sandbox = make_sandbox()
    prefixes = ("", "/proc/1/root", "/proc/self/root", "/proc/self/cwd/../../../../..")
    body = f"""
        for path in {[prefix + str(path) for prefix in prefixes for path in planted]}:
            try:
                print("read", path, open(path).read())
            except OSError as error:
                print(errno.errorcode[error.errno])
    """
    outcomes = attempt(sandbox, body).splitlines()
    assert len(outcomes) == 4 * len(planted) + 1
    assert set(outcomes[:-1]) <= {"ENOENT", "EACCES", "ENOTDIR"}
    assert sandbox.exec(f"find / -path /proc -prune -o -name '*{canary}*' -print 2>/dev/null").stdout == ""


def test_host_files_during_a_build(
    build: Callable[..., Image], make_sandbox: Callable[..., Sandbox], planted: list[Path], canary: str
) -> None:
    steps = "; ".join(f"cat {path}" for path in planted)
    image = build(f"FROM python:3.11-bookworm\nRUN ({steps}; env; cat /proc/*/environ) > /loot 2>&1 || true\n")
    loot = make_sandbox(image=image).exec("cat /loot").stdout
    assert "No such file" in loot or "denied" in loot
    assert f"\n{canary}" not in loot
    assert not loot.startswith(canary)


def test_known_secrets(sandbox: Sandbox) -> None:
    """Whatever this host has of them, byte for byte."""
    found = [path for pattern in SECRETS for path in _glob(pattern) if path.is_file() and os.access(path, os.R_OK)]
    for path in found:
        content = path.read_bytes()
        try:
            inside = sandbox.read(str(path))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        assert inside != content or not content.strip(), f"{path} of the host can be read"


def test_password_hashes(sandbox: Sandbox) -> None:
    shadow = Path("/etc/shadow")
    if not os.access(shadow, os.R_OK):
        pytest.skip("this user cannot read /etc/shadow of the host either")
    hashes = [fields[1] for line in shadow.read_text().splitlines() if len((fields := line.split(":"))[1]) > 2]
    inside = sandbox.exec("cat /etc/shadow /etc/shadow-").stdout
    assert not [entry for entry in hashes if entry in inside]
    assert inside != shadow.read_text()


def test_host_environment(make_sandbox: Callable[..., Sandbox], canary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTGYM_CANARY", canary)
    sandbox = make_sandbox()
    search = """
        for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/task/*/environ") + glob.glob("/proc/*/cmdline"):
            try:
                if b"canary" in open(path, "rb").read().replace(b'b"canary"', b""):
                    print("found in", path)
            except OSError as error:
                print(errno.errorcode[error.errno], path)
        print(os.environ.get("AGENTGYM_CANARY", "unset"))
    """
    outcome = attempt(sandbox, search)
    assert canary not in outcome
    assert "found" not in outcome
    assert outcome.endswith("unset\nALLOWED")
    assert canary not in sandbox.shell().run("env; set; cat /proc/*/environ | tr '\\0' '\\n'").stdout


def test_cloud_metadata(sandbox: Sandbox) -> None:
    for address in ("169.254.169.254", "100.100.100.200"):
        outcome = attempt(sandbox, f"socket.create_connection(({address!r}, 80), timeout=3)")
        assert outcome == "ENETUNREACH", outcome


def test_kernel_keyring(make_sandbox: Callable[..., Sandbox], canary: str) -> None:
    """A key in the session or user keyring of the host process must not be possessed inside."""
    libc = ctypes.CDLL(None, use_errno=True)
    add_key, session, user = 248, -3, -4
    added = [libc.syscall(add_key, b"user", canary.encode(), b"secret", 6, ring) for ring in (session, user)]
    if max(added) < 0:
        pytest.skip("this host has no kernel keyring")
    sandbox = make_sandbox()
    request = f"call('syscall', 249, b'user', {canary!r}.encode(), None, 0)"
    assert attempt(sandbox, request) in ("EPERM", "ENOSYS", "ENOKEY", "EACCES")
    for ring in (session, user):
        search = f"call('syscall', 250, 10, {ring}, b'user', {canary!r}.encode(), 0)"
        assert attempt(sandbox, search) in ("EPERM", "ENOSYS", "ENOKEY", "EACCES")
    assert canary not in sandbox.exec("cat /proc/keys").stdout


def test_kernel_log_and_memory(sandbox: Sandbox) -> None:
    assert attempt(sandbox, "call('klogctl', 3, ctypes.create_string_buffer(4096), 4096)") == "EPERM"
    for path in ("/dev/kmsg", "/dev/mem", "/dev/port", "/proc/kcore", "/proc/kmsg"):
        outcome = attempt(sandbox, f"print(len(os.read(os.open({path!r}, os.O_RDONLY | os.O_NONBLOCK), 4096)))")
        assert outcome in ("ENOENT", "EPERM", "EACCES", "0\nALLOWED"), f"{path}: {outcome}"


def test_devices(sandbox: Sandbox) -> None:
    """What every program needs, no disk, no terminal of the host."""
    harmless = set("null zero full random urandom tty ptmx pts shm mqueue fd stdin stdout stderr console core".split())
    assert set(sandbox.exec("ls -A /dev").stdout.split()) <= harmless
    assert attempt(sandbox, "os.open('/dev/tty', os.O_RDWR)") in ("ENXIO", "ENOENT", "EACCES", "EPERM")


def test_other_episodes(make_sandbox: Callable[..., Sandbox], canary: str) -> None:
    one, two = make_sandbox(), make_sandbox()
    one.exec(f"for d in /app /tmp /var/tmp /root /dev/shm /etc; do echo {canary} > $d/{canary}; done")
    one.exec(f"exec -a {canary} sleep 600 >/dev/null 2>&1 &", env={"SECRET": canary})
    three = make_sandbox()
    for other in (two, three):
        names = other.exec(f"find / -path /proc -prune -o -name '*{canary}*' -print 2>/dev/null")
        assert names.stdout == ""
        written = "/app /tmp /var/tmp /root /dev/shm /home /run /var/lib /mnt /opt/agentgym"
        assert other.exec(f"grep -rlF {canary[:-4]} {written} --include='*{canary[-4:]}*' 2>/dev/null").stdout == ""
        processes = other.exec("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'").stdout
        assert canary not in processes
    assert canary in one.exec("cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'").stdout


def test_memory_shared_between_episodes(make_sandbox: Callable[..., Sandbox]) -> None:
    """SysV segments and POSIX queues live in an ipc namespace of the sandbox."""
    one, two = make_sandbox(), make_sandbox()
    made = attempt(one, "print(call('shmget', 0x6a67, 4096, 0o1666))")
    assert made.endswith("ALLOWED")
    assert attempt(one, "call('shmget', 0x6a67, 0, 0)") == "ALLOWED"
    assert attempt(two, "call('shmget', 0x6a67, 0, 0)") == "ENOENT"
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.shmget(0x6A67, 0, 0) == -1, "the host sees it"


def test_sockets_of_the_host_in_the_file_system(sandbox: Sandbox) -> None:
    """An engine's socket inside a sandbox would be the host's root."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/listening")  # pytest's tmp_path would be longer than a socket's name may be
        server.listen()
        outcome = attempt(sandbox, f"socket.socket(socket.AF_UNIX).connect('{folder}/listening')")
        assert outcome == "ENOENT"
    for path in (
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/run/dbus/system_bus_socket",
    ):
        assert attempt(sandbox, f"socket.socket(socket.AF_UNIX).connect({path!r})") == "ENOENT"
    assert sandbox.exec("find / -path /proc -prune -o -type s -print 2>/dev/null").stdout == ""


def _glob(pattern: str) -> list[Path]:
    return list(Path("/").glob(str(Path(pattern).expanduser()).lstrip("/")))
