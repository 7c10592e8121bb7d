"""This process's end of the namespaces supervisor: started on first use, gone when this process is."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from agentgym.errors import SandboxError, SandboxLost, SandboxUnavailable
from agentgym.sandbox.cache import cache_folder
from agentgym.sandbox.namespaces.linux import readable
from agentgym.sandbox.owner import owner_key

DEFAULT_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


class SupervisorClient:
    """Requests to the supervisor and its answers; safe for several threads."""

    def __init__(self) -> None:
        self.owner = owner_key(os.getpid())
        scratch = cache_folder() / "run"
        scratch.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        # a bare package in its place: agentgym/__init__ imports Gymnasium, which the supervisor must not carry
        code = (
            "import sys, types; package = types.ModuleType('agentgym'); sys.modules['agentgym'] = package; "
            f"package.__path__ = [{str(Path(__file__).parents[2])!r}]; "
            "from agentgym.sandbox.namespaces.supervisor import main; main()"
        )
        argv = [sys.executable, "-I", "-S", "-c", code, str(theirs.fileno()), str(scratch), *id_maps()]
        # symbols bound at start-up are not bound again, page by page, in every fork
        env = {"PATH": DEFAULT_PATH, "LD_BIND_NOW": "1"}
        self._process = subprocess.Popen(argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=env)
        theirs.close()
        self._socket = ours
        greeting = json.loads(ours.recv(4096) or b'{"error": "it ended at once"}')
        if "error" in greeting:
            self.close()
            raise SandboxUnavailable(
                f"the namespaces supervisor did not start: {greeting['error']}; see `agentgym doctor`"
            )

    def call(self, operation: str, *fds: int, timeout_s: float = 60.0, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        return self.answer(self.send(operation, *fds, **request), timeout_s)

    def send(self, operation: str, *fds: int, **request: Any) -> int:
        """Send a request; the descriptor that its answer will come on."""
        answer, theirs = os.pipe()
        try:
            message = json.dumps({"op": operation, **request}).encode()
            socket.send_fds(self._socket, [message], [theirs, *fds])
        except OSError as error:
            os.close(answer)
            raise SandboxLost(f"the namespaces supervisor is gone: {error}") from None
        finally:
            os.close(theirs)
        return answer

    @staticmethod
    def answer(fd: int, timeout_s: float) -> dict[str, Any]:
        data, deadline = b"", time.monotonic() + timeout_s
        with open(fd, "rb", buffering=0) as pipe:
            while True:
                if not readable(pipe.fileno(), max(0.0, deadline - time.monotonic())):
                    raise SandboxLost(f"no answer from the namespaces supervisor within {timeout_s:.0f} s")
                chunk = pipe.read(1 << 16)
                if not chunk:
                    break
                data += chunk
                if data.endswith(b"\n"):
                    break
        if not data:
            raise SandboxLost("the namespaces supervisor gave no answer")
        answer: dict[str, Any] = json.loads(data)
        if "lost" in answer:
            raise SandboxLost(f"the sandbox is gone: {answer['lost']}")
        if "error" in answer:
            raise SandboxError(f"namespaces: {answer['error']}")
        return answer

    def tell(self, operation: str, **request: Any) -> None:
        """Send a request and do not wait; a supervisor that is gone needs no telling."""
        with contextlib.suppress(SandboxError, OSError):
            os.close(self.send(operation, **request))

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10.0)

    def forsake(self) -> None:
        """In a forked child: the parent's supervisor is not ours, and our copy of its socket must not keep it alive."""
        self._socket.close()


_client: SupervisorClient | None = None
_client_lock = threading.Lock()


def supervisor() -> SupervisorClient:
    global _client
    with _client_lock:
        if _client is None:
            _client = SupervisorClient()
            atexit.register(_close_client)
        return _client


def _close_client() -> None:
    global _client
    with _client_lock:
        if _client is not None:
            _client.close()
            _client = None


def _after_fork() -> None:
    global _client, _client_lock
    _client_lock = threading.Lock()
    if _client is not None:
        _client.forsake()
        _client = None
        atexit.unregister(_close_client)


os.register_at_fork(after_in_child=_after_fork)


def id_maps() -> tuple[str, str]:
    """uid_map and gid_map of the supervisor's user namespace; SandboxUnavailable when they cannot be had."""
    if os.geteuid() == 0:
        return "0 0 65536", "0 0 65536"
    if shutil.which("newuidmap") is None:
        raise SandboxUnavailable("newuidmap not found; as root: apt-get install uidmap")
    user = pwd.getpwuid(os.geteuid()).pw_name
    maps = []
    for file, own in (("/etc/subuid", os.geteuid()), ("/etc/subgid", os.getegid())):
        rows = [line.split(":") for line in Path(file).read_text().splitlines()] if Path(file).exists() else []
        row = next((row for row in rows if row[0] in (user, str(os.geteuid())) and int(row[2]) >= 65535), None)
        if row is None:
            raise SandboxUnavailable(f"{file} gives {user} no 65535 ids; as root: usermod --add-subuids 100000-165535 "
                                     f"--add-subgids 100000-165535 {user}")  # fmt: skip
        maps.append(f"0 {own} 1 1 {row[1]} 65535")
    return maps[0], maps[1]
