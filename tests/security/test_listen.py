"""A socket from out here on the sandbox's loopback opens that one port, and nothing beyond it."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from agentgym.protocols import Sandbox
from tests.security.attempt import attempt

pytestmark = pytest.mark.security


@pytest.fixture
def port(sandbox: Sandbox) -> Iterator[int]:
    """Of a listener with a connection from inside, both open while the attacks run."""
    with sandbox.listen() as listener:
        port: int = listener.getsockname()[1]
        hold = (
            "import socket, sys, time; c = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
        )
        sandbox.exec(f'python3 -c "{hold}" {port} >/dev/null 2>&1 &')
        listener.settimeout(20)
        with listener.accept()[0]:
            yield port


def test_there_is_still_no_way_out(sandbox: Sandbox, port: int) -> None:
    assert attempt(sandbox, "socket.create_connection(('1.1.1.1', 80), timeout=3)") == "ENETUNREACH"
    assert sandbox.exec("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '").stdout == "lo\n"
    assert sandbox.exec("tail -n +2 /proc/net/route").stdout == ""


def test_no_other_port_is_opened(sandbox: Sandbox, port: int) -> None:
    """Every port of loopback is tried, while servers of the host listen."""
    with socket.create_server(("127.0.0.1", 0)) as mine, socket.create_server(("0.0.0.0", 0)) as wide:
        assert {mine.getsockname()[1], wide.getsockname()[1]} - {port}
        body = """
            for number in range(1, 65536):
                with socket.socket() as probe:
                    reached = probe.connect_ex(("127.0.0.1", number)) == 0
                    if reached and probe.getsockname() != probe.getpeername():  # TCP may meet itself
                        print(number)
        """
        assert attempt(sandbox, body).split() == [str(port), "ALLOWED"]


def test_the_hosts_server_on_the_same_port(sandbox: Sandbox) -> None:
    """Inside it is ours, outside the host's, in either order."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with sandbox.listen(port) as listener:
            assert attempt(sandbox, f"socket.create_connection(('127.0.0.1', {port}), timeout=3)") == "ALLOWED"
            listener.settimeout(3)
            listener.accept()[0].close()
            server.settimeout(0.2)
            with pytest.raises(TimeoutError):
                server.accept()


def test_the_host_does_not_listen(sandbox: Sandbox) -> None:
    with sandbox.listen() as listener, socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", listener.getsockname()[1])) != 0


def test_another_sandboxs_listener(make_sandbox: Callable[..., Sandbox], port: int) -> None:
    assert attempt(make_sandbox(), f"socket.create_connection(('127.0.0.1', {port}), timeout=3)") == "ECONNREFUSED"


def test_abstract_sockets(sandbox: Sandbox, port: int) -> None:
    """The channel that the socket came through is not in the sandbox's network either."""
    name = f"\0agentgym-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        assert attempt(sandbox, f"socket.socket(socket.AF_UNIX).connect({name!r})") == "ECONNREFUSED"
    assert sandbox.exec("tail -n +2 /proc/net/unix").stdout == ""


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_the_port_cannot_be_taken_over(sandbox: Sandbox, port: int, address: str) -> None:
    """Whoever bound it as well would read what other programs of the sandbox send to the model."""
    body = f"""
        thief = socket.socket()
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        thief.bind(({address!r}, {port}))
        thief.listen()
    """
    assert attempt(sandbox, body) == "EADDRINUSE"


def test_nobody_comes_in_to_make_it(sandbox: Sandbox) -> None:
    """No process of ours is seen from inside while sockets are made."""
    body = """
        import time
        before, seen, end = set(os.listdir("/proc")), set(), time.monotonic() + 2
        print("ready", flush=True)
        while time.monotonic() < end:
            seen |= {name for name in os.listdir("/proc") if name.isdigit()} - before
        print(sorted(seen))
    """
    found: list[str] = []
    watcher = threading.Thread(target=lambda: found.append(attempt(sandbox, body)))
    watcher.start()
    n_made = 0
    while watcher.is_alive():
        sandbox.listen().close()
        n_made += 1
    assert n_made > 5
    assert found == ["ready\n[]\nALLOWED"]
