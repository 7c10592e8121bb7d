"""A sandbox for tests that isolates nothing: a temporary folder, and bash beside us.

It keeps the contract's words (results, time limits, output limits, errors) and refuses to read or write outside its
folder, so that a tool that went astray would be seen. No tool asks for snapshots: it has none.
"""

from __future__ import annotations

import os
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentgym.errors import SandboxLost
from agentgym.protocols import ExecResult, FileChange, Image, Limits, SandboxSpec


class LocalSandbox:
    def __init__(self, root: Path, *, output_bytes: int = 1 << 20) -> None:
        self.id = uuid.uuid4().hex
        self.root = root
        self.workdir = str(root / "work")
        image = Image(backend="local", ref=str(root), workdir=self.workdir)
        self.spec = SandboxSpec(image=image, limits=Limits(output_bytes=output_bytes))
        self.shells: list[LocalShell] = []
        self._alive = False
        self._at_start: dict[str, bytes] = {}

    def start(self) -> None:
        Path(self.workdir).mkdir(parents=True, exist_ok=True)
        self._alive = True
        self._at_start = self._files()

    def exec(
        self,
        command: str | Sequence[str],
        *,
        timeout_s: float = 60.0,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        stdin: bytes = b"",
        stdout_limit_bytes: int | None = None,
    ) -> ExecResult:
        self._require_alive()
        argv = ["bash", "-c", command] if isinstance(command, str) else list(command)
        began = time.monotonic()
        process = subprocess.Popen(
            argv,
            cwd=cwd or self.workdir,
            env=self.environment() | dict(env or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        timed_out = False
        try:
            out, err = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        limit = self.spec.limits.output_bytes
        stdout_limit = limit if stdout_limit_bytes is None else stdout_limit_bytes
        return ExecResult(
            exit_code=124 if timed_out else _exit_code(process.returncode),
            stdout_bytes=out[:stdout_limit],
            stderr=err[:limit].decode("utf-8", "replace"),
            timed_out=timed_out,
            truncated=len(out) > stdout_limit or len(err) > limit,
            duration_s=time.monotonic() - began,
        )

    def shell(self) -> LocalShell:
        self._require_alive()
        shell = LocalShell(self)
        self.shells.append(shell)
        return shell

    def read(self, path: str, *, max_bytes: int = 64 << 20) -> bytes:
        data = self._inside(path).read_bytes()
        if len(data) > max_bytes:
            raise ValueError(f"{path} holds {len(data)} bytes, more than {max_bytes}")
        return data

    def write(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        target = self._inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        # as docker's put_archive does: a link at this place would be replaced
        target.unlink(missing_ok=True)
        target.write_bytes(data)
        target.chmod(mode)

    def upload(self, source: Path, target: str) -> None:
        shutil.copytree(source, self._inside(target), dirs_exist_ok=True)

    def download(self, source: str, target: Path) -> None:
        shutil.copytree(self._inside(source), target, dirs_exist_ok=True)

    def listen(self, port: int = 0) -> socket.socket:
        self._require_alive()
        return socket.create_server(("127.0.0.1", port))

    def diff(self) -> list[FileChange]:
        now = self._files()
        changes = [FileChange(path, "added") for path in now.keys() - self._at_start.keys()]
        changes += [FileChange(path, "deleted") for path in self._at_start.keys() - now.keys()]
        common = now.keys() & self._at_start.keys()
        changes += [FileChange(path, "modified") for path in common if now[path] != self._at_start[path]]
        return sorted(changes, key=lambda change: change.path)

    def alive(self) -> bool:
        return self._alive

    def stop(self) -> None:
        for shell in self.shells:
            shell.close()
        self._alive = False

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.root), "LANG": "C.UTF-8"}

    def _require_alive(self) -> None:
        if not self._alive:
            raise SandboxLost("the local sandbox is not running")

    def _inside(self, path: str) -> Path:
        self._require_alive()
        place = Path(os.path.realpath(path))
        if not place.is_relative_to(os.path.realpath(self.root)):
            raise PermissionError(1, "outside the sandbox's folder", path)
        return Path(path)

    def _files(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}


class LocalShell:
    """One bash, fed over a pipe; a line with a word of its own tells where a command's output ends."""

    def __init__(self, sandbox: LocalSandbox) -> None:
        self.sandbox = sandbox
        self.closed = False
        self._open()

    def run(self, command: str, *, timeout_s: float = 60.0) -> ExecResult:
        self.sandbox._require_alive()
        word = uuid.uuid4().hex
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"eval {shlex.quote(command)} </dev/null 2>&1\nprintf '%s %d\\n' {word} $?\n".encode())
        self._bash.stdin.flush()
        output, exit_code = self._until(word.encode(), time.monotonic() + timeout_s)
        limit = self.sandbox.spec.limits.output_bytes
        said = output[:limit]
        timed_out = exit_code is None
        if exit_code is None or self._bash.poll() is not None:
            ended = "was killed" if exit_code is None else "ended"
            said += f"\n[the shell {ended}; a fresh one takes its place]".encode()
            self.close()
            self._open()
        code = 124 if exit_code is None else exit_code
        return ExecResult(code, said, "", timed_out=timed_out, truncated=len(output) > limit)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            if self._bash.poll() is None:
                os.killpg(self._bash.pid, signal.SIGKILL)
            self._bash.communicate()

    def _open(self) -> None:
        self.closed = False
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=self.sandbox.workdir,
            env=self.sandbox.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def _until(self, word: bytes, deadline: float) -> tuple[bytes, int | None]:
        """Output up to `word`, and the exit code behind it; None when time ran out."""
        assert self._bash.stdout is not None
        output = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._bash.stdout, selectors.EVENT_READ)
            while True:
                before, found, after = output.partition(word)
                if found and after.endswith(b"\n"):
                    return before, int(after)
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    return output, None
                chunk = os.read(self._bash.stdout.fileno(), 1 << 16)
                if not chunk:
                    return output, _exit_code(self._bash.wait())
                output += chunk


def _exit_code(returncode: int) -> int:
    return 128 - returncode if returncode < 0 else returncode
