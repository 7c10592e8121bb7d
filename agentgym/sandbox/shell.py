"""One live bash over a duplex byte stream: a command goes in as one quoted line, its output comes back up to a marker.

It knows bash and nothing of sandboxes: the backend opens the stream (`argv` is what to run at its far end, inside
the sandbox, stdin and stdout attached) and kills processes. Neither side sleeps or polls, so a round trip costs what
the stream costs.

What crosses the stream (`\\x1e` is a byte that only these lines hold; NONCE is drawn for each bash)::

    -> <functions below>                                 once
    <- \\x1eNONCE ready 0 PID\\n                           the shell's pid, as the sandbox numbers processes
    -> \\n{begin 7 0;}…;eval 'COMMAND\\n' …;{end 7;}…\\n     the 0 restores $? of the command before
    <- \\x1eNONCE begin 7 UPTIME\\n                        seconds since boot, so that a kill spares older jobs
    <- whatever COMMAND writes
    <- \\x1eNONCE end 7 STATUS\\n
    <- \\x1eNONCE gone 0 STATUS\\n                         from the bash around it, whatever ended the inner one
"""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from agentgym.errors import SandboxError
from agentgym.protocols import ExecResult

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 30.0
"""Longest wait for a new bash to say that it is ready."""
GRACE_S = 0.5
"""After a timeout: how long the rest of a command list (`; echo $?`) may take before the shell itself is killed."""
MARKER_BYTES = 128
"""Longer than any marker line."""

# the outer bash only waits: it survives `kill 0`, and tells the inner one's end even while a job holds stdout open
_OUTER = r"""trap : HUP INT QUIT TERM; exec 2>/dev/null
bash --noprofile --norc; printf '\036%s gone 0 %d\n' "$1" "$?"
"""

# fd 19 stays on the stream when a command redirects stdout for good (`exec >log`); commands themselves do not get it
_FUNCTIONS = r"""exec 19>&1 2>&1
__sandbox_begin() { builtin local up _; IFS=' ' builtin read -r up _ </proc/uptime
builtin printf '\036%s begin %d %s\n' NONCE "$1" "$up" >&19; return "$2"; }
__sandbox_end() { builtin printf '\036%s end %d %d\n' NONCE "$1" "$?" >&19; }
builtin printf '\036%s ready 0 %d\n' NONCE "$$" >&19
"""


class Stream(Protocol):
    """Two pipes, one each way. Both calls raise OSError when the far end is broken."""

    def send(self, data: bytes) -> None:
        """Write all of it."""

    def recv(self, timeout_s: float) -> bytes:
        """Whatever has arrived, b"" at end of file. Raises TimeoutError when nothing arrives in time."""

    def close(self) -> None: ...


class Kill(Protocol):
    """Kills what a shell started."""

    def __call__(self, pid: int, since_s: float, *, shell_too: bool) -> None:
        """SIGKILL what descends from `pid` (orphans that left its session included) and started at or after `since_s`.

        `pid` is the shell's as the sandbox numbers processes, `since_s` the machine's uptime (/proc/uptime; process
        start times have 10 ms ticks). The shell itself is spared unless `shell_too`.
        """


class Marker(NamedTuple):
    """A line of the protocol found in the output: `\\x1eNONCE kind seq value`."""

    kind: str
    seq: int
    value: str


class Capture:
    """Keeps the first `limit_bytes` of a byte stream, drops the rest, and picks the marker lines out of it."""

    def __init__(self, nonce: str, limit_bytes: int) -> None:
        self.truncated = False
        self._marker = re.compile(rb"\x1e%b (\w+) (\d+) (\d+(?:\.\d+)?)\n" % nonce.encode())
        self._limit_bytes = limit_bytes
        self._kept = bytearray()
        self._pending = b""

    def feed(self, chunk: bytes) -> list[Marker]:
        """Take a chunk; the markers that it completed."""
        data = self._pending + chunk
        markers = []
        at = 0
        for match in self._marker.finditer(data):
            self._keep(data[at : match.start()])
            at = match.end()
            kind, seq, value = (group.decode() for group in match.groups())
            markers.append(Marker(kind, int(seq), value))
        # hold back what may be the beginning of a marker
        held = data.rfind(b"\x1e", max(at, len(data) - MARKER_BYTES))
        held = held if held >= 0 else len(data)
        self._keep(data[at:held])
        self._pending = data[held:]
        return markers

    def data(self) -> bytes:
        """Everything kept so far, what was held back included."""
        self._keep(self._pending)
        self._pending = b""
        return bytes(self._kept)

    def text(self) -> str:
        return self.data().decode("utf-8", "replace")

    def _keep(self, data: bytes) -> None:
        room = max(0, self._limit_bytes - len(self._kept))
        self._kept += data[:room]
        self.truncated = self.truncated or len(data) > room


@dataclass(slots=True)
class _Bash:
    """One bash at the far end of one stream."""

    stream: Stream
    nonce: str
    pid: int = 0
    status: int = 0
    """`$?` of the last command."""
    begun_s: float | None = None
    """Uptime at which the running command began; None before it did."""
    n_commands: int = 0


class PersistentShell:
    """Matches `protocols.Shell`. Not for several threads at once."""

    def __init__(
        self, open_stream: Callable[[Sequence[str]], Stream], kill: Kill, *, output_bytes: int = 1 << 20
    ) -> None:
        """`open_stream(argv)` runs argv in the sandbox; it raises SandboxLost when the sandbox is gone."""
        self._open_stream = open_stream
        self._kill = kill
        self._output_bytes = output_bytes
        self._bash = self._start()

    def run(self, command: str, *, timeout_s: float = 60.0) -> ExecResult:
        """Run `command` in the live bash (see `protocols.Shell.run`)."""
        bash = self._bash
        started = time.monotonic()
        capture = Capture(bash.nonce, self._output_bytes)
        bash.n_commands += 1
        bash.begun_s = None
        quoted = shlex.quote(f"{command}\n")  # a last backslash continues the line, as at a prompt
        line = (  # the first newline frees bash's parser from what a command with a syntax error left in it
            f"\n{{ __sandbox_begin {bash.n_commands} {bash.status};}} 2>/dev/null;"
            f"builtin eval {quoted} </dev/null 19>&-;"
            f"{{ __sandbox_end {bash.n_commands};}} 2>/dev/null\n"
        )
        timed_out = False
        note = ""
        try:
            bash.stream.send(line.encode("utf-8", "replace"))
            status = self._await_end(bash, capture, started + timeout_s)
        except TimeoutError:
            timed_out = True
            try:
                status = self._abort(bash, capture)
            except (TimeoutError, OSError):
                status = None
        except OSError as error:
            logger.debug("shell stream broke: %s", error)
            status = None
        if status is None:
            note = self._replace(bash, timed_out)
        return ExecResult(
            exit_code=124 if timed_out else bash.status,
            stdout_bytes=capture.data() + note.encode(),
            stderr="",
            timed_out=timed_out,
            truncated=capture.truncated,
            duration_s=time.monotonic() - started,
        )

    def close(self) -> None:
        """End the bash; jobs that it left in the background live on."""
        self._bash.stream.close()

    def _start(self) -> _Bash:
        nonce = secrets.token_hex(8)
        bash = _Bash(self._open_stream(["bash", "-c", _OUTER, "bash", nonce]), nonce)
        capture = Capture(nonce, 4096)
        try:
            with contextlib.suppress(BrokenPipeError):  # `recv` knows whether the sandbox has gone
                bash.stream.send(_FUNCTIONS.replace("NONCE", nonce).encode())
            deadline = time.monotonic() + START_TIMEOUT_S
            while chunk := bash.stream.recv(max(0.0, deadline - time.monotonic())):
                for marker in capture.feed(chunk):
                    if marker.kind == "ready":
                        bash.pid = int(marker.value)
                        return bash
        except OSError as error:  # TimeoutError included
            logger.debug("no bash: %s", error)
        bash.stream.close()
        raise SandboxError(
            f"bash did not start in the sandbox (waited at most {START_TIMEOUT_S:.0f} s): "
            f"{capture.text().strip() or 'it said nothing'}"
        )

    def _await_end(self, bash: _Bash, capture: Capture, deadline: float) -> int | None:
        """Status of the running command; None when the bash ended. Raises TimeoutError, OSError."""
        while chunk := bash.stream.recv(max(0.0, deadline - time.monotonic())):
            for marker in capture.feed(chunk):
                if marker.kind == "begin":
                    bash.begun_s = float(marker.value)
                elif marker.kind == "gone" or marker.seq == bash.n_commands:
                    bash.status = int(marker.value)
                    return bash.status if marker.kind == "end" else None
            if time.monotonic() >= deadline:  # a flood must not outrun the clock
                raise TimeoutError
        return None

    def _abort(self, bash: _Bash, capture: Capture) -> int | None:
        """Kill what the command started; if the shell does not come back by itself, the shell too."""
        if bash.begun_s is not None:
            self._kill(bash.pid, bash.begun_s, shell_too=False)
            try:
                return self._await_end(bash, capture, time.monotonic() + GRACE_S)
            except TimeoutError:
                logger.debug("shell %d did not come back after its children were killed", bash.pid)
        self._kill(bash.pid, bash.begun_s or 0.0, shell_too=True)
        return self._await_end(bash, capture, time.monotonic() + GRACE_S)

    def _replace(self, old: _Bash, timed_out: bool) -> str:
        """Put a fresh bash in the place of one that ended; what to tell the user."""
        old.stream.close()
        self._bash = self._start()
        if timed_out:
            what = "the shell did not survive the timeout"
        elif old.begun_s is None:
            what = "the shell had ended before this command, which was not run"
        else:
            what = f"the shell ended with exit code {old.status}"
        return f"\n[sandbox] {what}; a fresh one takes its place: working directory and variables are as at its start\n"
