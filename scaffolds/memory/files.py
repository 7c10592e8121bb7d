"""Reading memory files of a sandbox, which anybody may have written: as the agent's own user, bounded, through no link
that leads away.

A path that is not below the work directory is read only where no link is on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentgym.protocols import Sandbox

MAX_BYTES = 32 << 10
"""Of one file, and of all rules together: what Codex takes of AGENTS.md files."""

_TIMEOUT_S = 10.0
_MISSING, _AWAY, _NO_FILE = 44, 45, 46
_READ = f"""
[ -e "$1" ] || [ -L "$1" ] || exit {_MISSING}
real=$(readlink -f -- "$1") || exit {_NO_FILE}
case $real in "$1" | "${{2%/}}"/*) ;; *) exit {_AWAY} ;; esac
[ -f "$real" ] || exit {_NO_FILE}
exec head -c "$3" -- "$real"
"""
_THERE = 'for f; do if [ -e "$f" ] || [ -L "$f" ]; then printf "%s\\0" "$f"; fi; done'


class Unreadable(Exception):
    """A file that is there and is not read; the message says why."""


@dataclass(frozen=True, slots=True)
class MemoryFiles:
    """The files of one sandbox, seen from its work directory."""

    sandbox: Sandbox
    root: str
    """The work directory without links."""

    @classmethod
    def of(cls, sandbox: Sandbox, workdir: str) -> MemoryFiles:
        """Raises SandboxError."""
        found = sandbox.exec(["readlink", "-f", "--", workdir], timeout_s=_TIMEOUT_S, cwd="/")
        return cls(sandbox, found.stdout.removesuffix("\n") or workdir)

    def there(self, paths: Sequence[str]) -> list[str]:
        """Those of `paths` that something lies at, in their order, by one command. Raises SandboxError."""
        done = self.sandbox.exec(["bash", "-c", _THERE, "there", *paths], timeout_s=_TIMEOUT_S, cwd="/")
        return done.stdout.split("\0")[:-1]

    def read(self, path: str, max_bytes: int = MAX_BYTES) -> str | None:
        """Text of a file, None where there is none. Raises Unreadable, SandboxError."""
        argv = ["bash", "-c", _READ, "read", path, self.root, str(max_bytes + 1)]
        done = self.sandbox.exec(argv, timeout_s=_TIMEOUT_S, cwd="/")
        if done.exit_code == _MISSING:
            return None
        if done.exit_code == _AWAY:
            raise Unreadable("it is a link that leads out of the work directory")
        if done.exit_code == _NO_FILE:
            raise Unreadable("it is no file")
        if done.exit_code != 0:
            raise Unreadable(done.stderr.strip()[-200:] or f"reading it ended with {done.exit_code}")
        if "\0" in done.stdout:
            raise Unreadable("it is binary")
        data = done.stdout.encode()
        if len(data) <= max_bytes:
            return done.stdout
        return data[:max_bytes].decode("utf-8", "ignore") + f"\n[cut after {max_bytes} bytes]"
