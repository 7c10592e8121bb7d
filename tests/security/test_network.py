"""Attempts to reach anything beyond the sandbox."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgym.protocols import Backend, Sandbox
from tests.security.attempt import attempt

pytestmark = pytest.mark.security

UNRESOLVED = {
    "gaierror: [Errno -2] Name or service not known",
    "gaierror: [Errno -3] Temporary failure in name resolution",
}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("socket.create_connection(('1.1.1.1', 80), timeout=3)", {"ENETUNREACH"}),
        ("socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('8.8.8.8', 53))", {"ENETUNREACH"}),
        ("socket.socket(socket.AF_INET6).connect(('2606:4700:4700::1111', 80))", {"ENETUNREACH", "EADDRNOTAVAIL"}),
        ("socket.getaddrinfo('example.com', 80)", UNRESOLVED),
        (
            "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).sendto(bytes(8), ('1.1.1.1', 0))",
            {"EPERM", "ENETUNREACH"},
        ),
        ("s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0))", {"EPERM", "ENODEV"}),
        ("socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).connect((2, 1024))", {"EPERM", "EAFNOSUPPORT", "ENODEV"}),
        ("socket.socket().setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'eth0')", {"EPERM", "ENODEV"}),
        ("import fcntl; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 0))", {"EPERM"}),
    ],
    ids=["tcp", "udp", "tcp6", "dns", "icmp", "packet", "vsock", "device", "interface"],
)
def test_reaching_out(backend: Backend, sandbox: Sandbox, body: str, expected: set[str]) -> None:
    outcome = attempt(sandbox, body)
    if "AF_VSOCK" in body and any("AF_VSOCK" in check.detail for check in backend.doctor()):
        pytest.xfail("this engine's own seccomp profile lets AF_VSOCK through, and doctor says so")
    assert outcome in expected


def test_host_servers(sandbox: Sandbox) -> None:
    """On loopback and on every address of the host."""
    addresses = {"127.0.0.1", "127.0.0.2", "0.0.0.0", socket.gethostbyname(socket.gethostname())}
    with socket.create_server(("0.0.0.0", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        for address in addresses:
            outcome = attempt(sandbox, f"socket.create_connection(({address!r}, {port}), timeout=3)")
            assert outcome in ("ECONNREFUSED", "ENETUNREACH"), f"{address}: {outcome}"
        with pytest.raises(TimeoutError):
            server.accept()


def test_abstract_sockets_of_the_host(sandbox: Sandbox) -> None:
    """They belong to a network namespace, not to the file system."""
    name = f"\0agentgym-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        assert attempt(sandbox, f"socket.socket(socket.AF_UNIX).connect({name!r})") == "ECONNREFUSED"
    assert "agentgym-" not in sandbox.exec("cat /proc/net/unix").stdout


def test_abstract_sockets_of_another_episode(make_sandbox: Callable[..., Sandbox]) -> None:
    one, two = make_sandbox(), make_sandbox()
    serve = (
        "import os, socket, time; s = socket.socket(socket.AF_UNIX); s.bind('\\0agentgym-other'); s.listen()\n"
        "if os.fork(): os._exit(0)\nos.close(1); os.close(2); time.sleep(600)"
    )
    assert one.exec(["python3", "-c", serve]).exit_code == 0
    connect = "socket.socket(socket.AF_UNIX).connect('\\0agentgym-other')"
    assert attempt(one, connect) == "ALLOWED"
    assert attempt(two, connect) == "ECONNREFUSED"


def test_network_namespaces_cannot_be_joined_or_made(sandbox: Sandbox) -> None:
    assert attempt(sandbox, "call('unshare', 0x40000000)") == "EPERM"
    for path in ("/proc/1/ns/net", "/proc/self/ns/net"):
        outcome = attempt(sandbox, f"call('setns', os.open({path!r}, os.O_RDONLY), 0x40000000)")
        assert outcome in ("EPERM", "EACCES")


def test_network_is_the_sandboxs_own(sandbox: Sandbox) -> None:
    assert sandbox.exec("readlink /proc/self/ns/net").stdout.strip() != str(Path("/proc/self/ns/net").readlink())
