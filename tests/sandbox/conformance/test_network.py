"""Network: none but loopback while an episode runs, the machine's own while an image is built."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from agentgym.protocols import Image, Sandbox

SERVE = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
import os
if os.fork():
    os._exit(0)
for descriptor in (1, 2):
    os.close(descriptor)
for _ in range(2):
    server.accept()[0].sendall(b"hello from inside")
"""

CONNECT = """
import errno, socket, sys
try:
    print(socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).recv(100).decode())
except OSError as error:
    print(errno.errorcode.get(error.errno, error))
"""


def test_only_loopback(sandbox: Sandbox) -> None:
    assert sandbox.exec("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '").stdout == "lo\n"
    assert sandbox.exec("tail -n +2 /proc/net/route").stdout == ""


def test_loopback_works(sandbox: Sandbox) -> None:
    port = sandbox.exec(["python3", "-c", SERVE]).stdout.strip()
    assert sandbox.exec(["python3", "-c", CONNECT, "127.0.0.1", port]).stdout == "hello from inside\n"
    assert sandbox.exec(["python3", "-c", CONNECT, "localhost", port]).stdout == "hello from inside\n"


def test_two_sandboxes_do_not_share_loopback(make_sandbox: Callable[..., Sandbox]) -> None:
    one, two = make_sandbox(), make_sandbox()
    port = one.exec(["python3", "-c", SERVE]).stdout.strip()
    assert two.exec(["python3", "-c", CONNECT, "127.0.0.1", port]).stdout == "ECONNREFUSED\n"


def test_host_loopback_is_out_of_reach(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert sandbox.exec(["python3", "-c", CONNECT, "127.0.0.1", port]).stdout == "ECONNREFUSED\n"


def test_no_name_resolves(sandbox: Sandbox) -> None:
    result = sandbox.exec(["python3", "-c", "import socket; socket.getaddrinfo('example.com', 80)"])
    assert result.exit_code == 1
    assert "gaierror" in result.stderr


def test_public_network_has_a_route(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(network="public")
    names = sandbox.exec("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '").stdout.split()
    assert set(names) - {"lo"}


def test_build_is_online(build: Callable[..., Image], make_sandbox: Callable[..., Sandbox]) -> None:
    """From the package index; the wheel is 11 KB and has no dependencies."""
    image = build(
        "FROM python:3.11-bookworm\n"
        "RUN python3 -m pip download --no-deps --no-cache-dir --only-binary :all: --dest /wheels six==1.16.0\n"
    )
    assert make_sandbox(image=image).exec("ls /wheels").stdout == "six-1.16.0-py2.py3-none-any.whl\n"


@pytest.mark.parametrize("family", ["AF_INET6", "AF_PACKET", "AF_NETLINK"])
def test_other_families_see_no_more(sandbox: Sandbox, family: str) -> None:
    """They may exist, but lead nowhere beyond loopback."""
    probe = {
        "AF_INET6": "socket.socket(family).connect(('2606:4700:4700::1111', 80))",
        "AF_PACKET": "socket.socket(family, socket.SOCK_RAW).bind(('eth0', 0))",
        "AF_NETLINK": "s = socket.socket(family, socket.SOCK_RAW); print([n for _, n in socket.if_nameindex()])",
    }[family]
    program = (
        f"import errno, socket\nfamily = socket.{family}\ntry:\n    {probe}\n"
        "except OSError as error:\n    print(errno.errorcode.get(error.errno, error))"
    )
    expected = ["ENETUNREACH", "EADDRNOTAVAIL", "EPERM", "EAFNOSUPPORT", "ENODEV", "['lo']"]
    assert sandbox.exec(["python3", "-c", program]).stdout.strip() in expected
