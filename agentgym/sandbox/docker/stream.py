"""The stream of an attached exec or container: the engine's frames over one socket. Matches `shell.Stream`."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
import weakref
from typing import Any

STDOUT, STDERR = 1, 2
_CHUNK_BYTES = 1 << 18
_HEADER_BYTES = 8


class AttachedStream:
    """stdin, stdout and stderr of one process in a container. Not for several threads at once, `abort` excepted."""

    def __init__(self, attached: Any) -> None:
        """`attached`: what the SDK returns for `socket=True`."""
        self._socket: socket.socket = attached._sock
        self._socket.setblocking(False)
        # the reader that took the HTTP header may have taken the first frames along
        self._data: bytes = attached._response.raw._fp.fp.peek()
        self._outgoing = memoryview(b"")
        self._end_input = False
        self._poll = select.poll()
        self._close = weakref.finalize(self, _close, self._socket, attached, os.getpid())

    def queue(self, data: bytes, *, then_end: bool = False) -> None:
        """Send `data` during the coming turns; `then_end` ends the process's stdin after it."""
        self._outgoing = memoryview(bytes(self._outgoing) + data)
        self._end_input = then_end

    def turn(self, timeout_s: float) -> list[tuple[int, bytes]] | None:
        """Move what can be moved now: frames that arrived (stream number, payload), None at end of file.

        Raises TimeoutError when nothing could be moved in time, OSError when the stream broke.
        """
        if frames := self._frames():
            return frames
        sending = len(self._outgoing) > 0 or self._end_input
        self._watch(select.POLLIN | (select.POLLOUT if sending else 0))
        events = self._poll.poll(max(0, int(timeout_s * 1000) + 1))
        if not events:
            raise TimeoutError("nothing arrived in time")
        happened = events[0][1]
        if sending and happened & select.POLLOUT:
            self._send_some()
        if happened & ~select.POLLOUT:
            try:
                chunk = self._socket.recv(_CHUNK_BYTES)
            except BlockingIOError:
                return []
            if not chunk:
                return None
            self._data += chunk
        return self._frames()

    def send(self, data: bytes) -> None:
        """Write all of it (`shell.Stream`: its far end reads before it writes, so nothing is lost meanwhile)."""
        view = memoryview(data)
        self._watch(select.POLLOUT)
        while view:
            self._poll.poll()
            with contextlib.suppress(BlockingIOError):
                view = view[self._socket.send(view) :]

    def recv(self, timeout_s: float) -> bytes:
        """stdout and stderr as they arrive; b"" at end of file."""
        deadline = time.monotonic() + timeout_s
        while (frames := self.turn(max(0.0, deadline - time.monotonic()))) is not None:
            if data := b"".join(payload for _, payload in frames):
                return data
        return b""

    def abort(self) -> None:
        """End it under whoever waits for it, from any thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._close()

    def _watch(self, events: int) -> None:
        if self._socket.fileno() < 0:
            raise BrokenPipeError("the stream is closed")
        self._poll.register(self._socket, events)

    def _send_some(self) -> None:
        try:
            self._outgoing = self._outgoing[self._socket.send(self._outgoing[:_CHUNK_BYTES]) :]
            if not self._outgoing and self._end_input:
                self._end_input = False
                self._socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:  # nobody reads any more: the command's own matter, and its output still counts
            self._outgoing, self._end_input = memoryview(b""), False

    def _frames(self) -> list[tuple[int, bytes]]:
        """Whole frames and, of the last one, as much as has arrived."""
        frames, at, data = [], 0, self._data
        while len(data) - at > _HEADER_BYTES:
            size = int.from_bytes(data[at + 4 : at + _HEADER_BYTES], "big")
            payload = data[at + _HEADER_BYTES : at + _HEADER_BYTES + size]
            frames.append((data[at], payload))
            at += _HEADER_BYTES + len(payload)
            if len(payload) < size:
                rest = size - len(payload)
                self._data = bytes([frames[-1][0], 0, 0, 0]) + rest.to_bytes(4, "big")
                return frames
        self._data = data[at:]
        return frames


def _close(sock: socket.socket, attached: Any, owner_pid: int) -> None:
    if os.getpid() == owner_pid:  # a forked child closes its copy, not the connection
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
    attached._response.close()
    attached.close()
    sock.close()
