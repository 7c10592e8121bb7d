"""Sandbox.listen: a socket on the sandbox's own loopback that is accepted from out here."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgym.errors import SandboxError, SandboxLost
from agentgym.protocols import Limits, Sandbox
from tests.sandbox.host import eventually

ASK = """
import errno, socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as connection:
        connection.sendall(b"hello from inside\\n")
        print(connection.recv(100).decode(), end="")
except OSError as error:
    print(errno.errorcode.get(error.errno, error))
"""
CROWD = """
import socket, sys, threading
said = []
def ask(number):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20) as connection:
        connection.sendall(f"{number}\\n".encode())
        said.append(connection.makefile().readline())
threads = [threading.Thread(target=ask, args=(number,)) for number in range(60)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sorted(said) == sorted(f"you said {number}\\n" for number in range(60)))
"""


def answer(listener: socket.socket, n_connections: int = 1) -> threading.Thread:
    """Say back what is said, on each of so many connections in turn."""

    def serve() -> None:
        for _ in range(n_connections):
            connection, _ = listener.accept()
            with connection, connection.makefile("rw") as stream:
                stream.write(f"you said {stream.readline()}")

    listener.settimeout(20)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def ask(sandbox: Sandbox, listener: socket.socket, host: str = "127.0.0.1", user: str | None = None) -> str:
    """What a connection from inside gets to hear."""
    thread = answer(listener)
    said = sandbox.exec(["python3", "-c", ASK, host, str(port_of(listener))], user=user).stdout
    thread.join()
    return said


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("user", ["root", "nobody"])
def test_a_connection_from_inside_is_accepted_out_here(sandbox: Sandbox, host: str, user: str) -> None:
    with sandbox.listen() as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert ask(sandbox, listener, host, user) == "you said hello from inside\n"


def test_a_port_of_ones_choice(sandbox: Sandbox) -> None:
    with sandbox.listen(80) as listener:
        assert port_of(listener) == 80
        assert ask(sandbox, listener) == "you said hello from inside\n"
        with pytest.raises(SandboxError, match="Address already in use"):
            sandbox.listen(80)
    with sandbox.listen(80) as listener:
        assert ask(sandbox, listener) == "you said hello from inside\n"


def test_closed_is_closed(sandbox: Sandbox) -> None:
    with sandbox.listen() as listener:
        port = port_of(listener)
    assert sandbox.exec(["python3", "-c", ASK, "127.0.0.1", str(port)]).stdout == "ECONNREFUSED\n"


def test_many_at_once(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(limits=Limits(pids=512))
    with sandbox.listen() as listener:
        thread = answer(listener, 60)
        assert sandbox.exec(["python3", "-c", CROWD, str(port_of(listener))]).stdout == "True\n"
        thread.join()


def test_each_sandbox_has_its_own(make_sandbox: Callable[..., Sandbox], forks: Callable[..., Sandbox]) -> None:
    """The same port everywhere, and a port of one is no port of another."""
    one = make_sandbox()
    with one.listen(4000) as first:
        two, fork = make_sandbox(), forks(one)
        assert two.exec(["python3", "-c", ASK, "127.0.0.1", "4000"]).stdout == "ECONNREFUSED\n"
        assert fork.exec(["python3", "-c", ASK, "127.0.0.1", "4000"]).stdout == "ECONNREFUSED\n"
        with two.listen(4000) as second, fork.listen(4000) as third:
            for sandbox, listener in ((one, first), (two, second), (fork, third)):
                assert ask(sandbox, listener) == "you said hello from inside\n"


def test_with_the_network_on(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(network="public")
    with sandbox.listen() as listener:
        assert ask(sandbox, listener) == "you said hello from inside\n"


def test_stop_ends_connections(sandbox: Sandbox) -> None:
    hold = "import socket, sys, time; c = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
    with sandbox.listen() as listener:
        listener.settimeout(20)
        sandbox.exec(f'python3 -c "{hold}" {port_of(listener)} >/dev/null 2>&1 &')
        connection, _ = listener.accept()
        sandbox.stop()
        with connection:
            connection.settimeout(20)
            assert connection.recv(1) == b""
        listener.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_of_a_sandbox_that_does_not_run(create_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = create_sandbox(ttl_s=2.0)
    with pytest.raises(SandboxLost):
        sandbox.listen()
    sandbox.start()
    sandbox.listen().close()
    assert eventually(lambda: not sandbox.alive(), timeout_s=20)
    with pytest.raises(SandboxLost):
        sandbox.listen()
    sandbox.stop()
    with pytest.raises(SandboxLost):
        sandbox.listen()


def test_no_descriptors_pile_up(sandbox: Sandbox) -> None:
    def cycle() -> int:
        with sandbox.listen(5000) as listener:
            assert not listener.get_inheritable()
            with pytest.raises(SandboxError):
                sandbox.listen(5000)
        return len(list(Path("/proc/self/fd").iterdir()))

    used = [cycle() for _ in range(20)]
    assert used[-1] <= used[2], used


def test_this_process_stays_where_it_is(sandbox: Sandbox) -> None:
    """All of its threads, once one that made a socket has ended."""
    before = {str(Path("/proc/self/ns/net").readlink())}
    for _ in range(3):
        sandbox.listen().close()

    def networks() -> set[str]:
        found = set()
        for task in Path("/proc/self/task").iterdir():
            with contextlib.suppress(OSError):  # it ended meanwhile
                found.add(str((task / "ns/net").readlink()))
        return found

    assert eventually(lambda: networks() == before)
