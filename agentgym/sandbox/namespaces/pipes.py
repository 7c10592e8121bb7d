"""A command's stdin, stdout and stderr as this process holds them: fed, collected up to a limit, drained."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import threading
import time
import weakref
from collections.abc import Sequence
from typing import Any

from agentgym.errors import SandboxLost
from agentgym.sandbox.namespaces.linux import readable

GRACE_S = 10.0
"""How much longer than a command's own limit its report is waited for."""


def open_pipes(cleanup: contextlib.ExitStack, *, with_stdin: bool, merged: bool = False) -> tuple[list[int], list[int]]:
    """(our ends, their ends) of stdin, stdout, stderr; ours are closed by `cleanup`. Without stdin theirs is /dev/null
    and ours -1; merged: stderr is stdout."""
    ours, theirs = [], []
    if with_stdin:
        read, write = os.pipe()
        ours.append(write)
        theirs.append(read)
    else:
        ours.append(-1)
        theirs.append(os.open("/dev/null", os.O_RDONLY))
    for _ in range(1 if merged else 2):
        read, write = os.pipe()
        ours.append(read)
        theirs.append(write)
    if merged:
        theirs.append(theirs[1])
    cleanup.callback(_close_all, ours)
    return ours, theirs


class Kept:
    """The first `limit_bytes` of a stream."""

    def __init__(self, limit_bytes: int) -> None:
        self.data = bytearray()
        self.truncated = False
        self._limit_bytes = limit_bytes

    def feed(self, chunk: bytes) -> None:
        room = self._limit_bytes - len(self.data)
        self.data += chunk[:room]
        self.truncated = self.truncated or len(chunk) > room

    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


def converse(
    ours: list[int], answer: int, stdin: bytes, limits_bytes: tuple[int, int], timeout_s: float, drain: Drain
) -> tuple[dict[str, Any] | None, Kept, Kept]:
    """Feed stdin and collect output until the report comes, or None for one that never will; what is left in the pipes
    then is taken too, and pipes that a background process still holds go to `drain`.

    limits_bytes: how much of stdout and of stderr is kept.
    """
    kept = {fd: Kept(limit_bytes) for fd, limit_bytes in zip(ours[1:], limits_bytes, strict=True)}
    report, left = b"", memoryview(stdin)
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector, open(answer, "rb", buffering=0):
        for fd in (*kept, answer):
            selector.register(fd, selectors.EVENT_READ)
        if stdin:
            os.set_blocking(ours[0], False)
            selector.register(ours[0], selectors.EVENT_WRITE)
        done = False
        while not done:
            events = selector.select(max(0.0, deadline - time.monotonic()))
            if not events:
                raise SandboxLost(f"a command outlived its time limit by {GRACE_S:.0f} s")
            for key, _ in events:
                fd = key.fd
                if fd == ours[0]:
                    try:
                        left = left[os.write(fd, left[: 1 << 16]) :]
                    except BrokenPipeError:
                        left = left[:0]
                    if not left:
                        selector.unregister(fd)
                        os.close(fd)
                        ours[0] = -1  # the number may be another thread's by the time the rest is closed
                elif fd == answer:
                    chunk = os.read(fd, 1 << 16)
                    report += chunk
                    done = not chunk or report.endswith(b"\n")
                else:
                    chunk = os.read(fd, 1 << 16)
                    kept[fd].feed(chunk)
                    if not chunk:
                        selector.unregister(fd)
        held = [fd for fd in kept if fd in selector.get_map()]
    for fd in held:
        os.set_blocking(fd, False)
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(fd, 1 << 16):
                kept[fd].feed(chunk)
                if time.monotonic() > deadline:
                    break
            else:
                continue
        drain.add(os.dup(fd))
    parsed: dict[str, Any] | None = json.loads(report) if report else None
    return parsed, kept[ours[1]], kept[ours[2]]


class Drain:
    """Reads and drops what background processes write after their command ended: a closed pipe would kill them."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._wake: int = -1

    def add(self, fd: int) -> None:
        with self._lock:
            if self._thread is None:
                wake_theirs, self._wake = os.pipe()
                self._thread = threading.Thread(
                    target=self._run, args=(wake_theirs,), daemon=True, name="agentgym-drain"
                )
                self._thread.start()
            os.write(self._wake, fd.to_bytes(4, "little"))

    def close(self) -> None:
        with self._lock:
            if self._thread is not None:
                os.close(self._wake)
                self._thread.join()
                self._thread = None

    @staticmethod
    def _run(wake: int) -> None:
        fds = {wake}
        with selectors.DefaultSelector() as selector:
            selector.register(wake, selectors.EVENT_READ)
            while wake in fds:
                for key, _ in selector.select():
                    if key.fd == wake:
                        message = os.read(wake, 4)
                        if message:
                            fds.add(fd := int.from_bytes(message, "little"))
                            selector.register(fd, selectors.EVENT_READ)
                        else:
                            fds.discard(wake)
                    else:
                        with contextlib.suppress(BlockingIOError):
                            if not os.read(key.fd, 1 << 16):
                                selector.unregister(key.fd)
                                fds.discard(key.fd)
                                os.close(key.fd)
        for fd in fds | {wake}:
            os.close(fd)


class PipeStream:
    """`shell.Stream` over two pipes; the command's report comes on a third."""

    def __init__(self, write: int, read: int, report: int, sandbox: str) -> None:
        self._write, self._read, self._report = write, read, report
        self._sandbox = sandbox
        self.close = weakref.finalize(self, _close_all, (write, read, report))

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._write, view) :]

    def recv(self, timeout_s: float) -> bytes:
        """Raises SandboxLost where the end of the stream is the end of the sandbox."""
        if not readable(self._read, timeout_s):
            raise TimeoutError
        chunk = os.read(self._read, 1 << 16)
        if not chunk and b'"lost"' in (os.read(self._report, 1 << 16) or b'"lost"'):
            raise SandboxLost(f"sandbox {self._sandbox} is gone")
        return chunk


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        if fd >= 0:
            os.close(fd)
