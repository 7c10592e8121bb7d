"""A backend on which nothing is done twice: sandboxes that began alike and have had the same commands share one answer.

    A  upload, tee x, test ──> ran                     beginning ── upload ─┬─ tee x ── test
    B  upload, tee x, test ──> answered, never started                     └─ tee y ── test
    C  upload, tee y, ...  ──> started at `tee y`, after its own `upload`

What sandboxes have had is a tree of commands, each with what it gave. Whoever comes first to a command runs it, others
that stand at the same place wait for it, and a sandbox is started where it leaves the known paths: there it has its
commands so far again, which must therefore give the same each time they are run. It is to sandboxes what prefix trees
are to the samples of a batch. The rollouts of a group often do the same, and the graders of equal work always.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentgym.errors import SandboxError, SandboxLost
from agentgym.protocols import Backend, Check, ExecResult, FileChange, Image, Sandbox, SandboxSpec, Shell
from agentgym.sandbox import transfer

_KEPT_BYTES = 256 << 20
"""Of answers, over all beginnings; those that were used last are kept."""


class SharingBackend:
    """Matches `protocols.Backend`, over another one. Sandboxes with a network or mounts are that one's own."""

    def __init__(self, backend: Backend, *, kept_bytes: int = _KEPT_BYTES) -> None:
        self.name = backend.name
        self._backend, self._kept_bytes = backend, kept_bytes
        self._beginnings: OrderedDict[Hashable, _Tree] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()

    def doctor(self) -> list[Check]:
        return self._backend.doctor()

    def build(self, context: Path, *, timeout_s: float = 600.0, memory_mb: int = 4096) -> Image:
        return self._backend.build(context, timeout_s=timeout_s, memory_mb=memory_mb)

    def image(self, reference: str) -> Image:
        return self._backend.image(reference)

    def create(self, spec: SandboxSpec) -> Sandbox:
        sandbox = self._backend.create(spec)
        if spec.network != "none" or spec.mounts:
            return sandbox
        image = spec.image
        beginning = (
            (image.ref, image.workdir, image.user, _items(image.env)),
            (spec.limits, _items(spec.env), spec.labels.get("agentgym.task")),
        )
        with self._lock:
            tree = self._beginnings.pop(beginning, None) or _Tree(self._grown)
            self._beginnings[beginning] = tree
            while self._n_bytes > self._kept_bytes and len(self._beginnings) > 1:
                _, oldest = self._beginnings.popitem(last=False)
                oldest.kept = False
                self._n_bytes -= oldest.n_bytes
        return SharingSandbox(sandbox, tree)

    def _grown(self, tree: _Tree, n_bytes: int) -> None:
        with self._lock:
            if tree.kept:
                tree.n_bytes += n_bytes
                self._n_bytes += n_bytes

    def prune(self, *, images: bool = False) -> list[str]:
        return self._backend.prune(images=images)


@dataclass
class _Answer:
    """What a command gave, once it has."""

    known: bool = False
    result: Any = None
    error: Exception | None = None
    own: bool = False
    """It ran out of time: everybody finds out alone."""
    then: dict[Hashable, _Answer] = field(default_factory=dict)
    """The commands that have followed it."""


class _Tree:
    """The commands that sandboxes of one beginning have had."""

    def __init__(self, grown: Callable[[_Tree, int], None]) -> None:
        self.first: dict[Hashable, _Answer] = {}
        self.changed = threading.Condition()
        """Guards every answer of the tree."""
        self.grown = grown
        """Told of the bytes of every answer."""
        self.kept, self.n_bytes = True, 0


@dataclass(frozen=True)
class _Running:
    """What commands are run on."""

    sandbox: Sandbox
    shells: list[Shell] = field(default_factory=list)
    """In the order in which they were opened."""


Run = Callable[[_Running], Any]


class SharingSandbox:
    """Matches `protocols.Sandbox`. Not started before a command has to be run.

    Its commands must come one after another; `stop` may come at any time.
    """

    def __init__(self, sandbox: Sandbox, tree: _Tree) -> None:
        self.id, self.spec = sandbox.id, sandbox.spec
        self._running, self._tree = _Running(sandbox), tree
        self._place = tree.first
        """What is known to follow the commands so far."""
        self._owed: list[Run] = []
        """The commands that were answered and not run, in order."""
        self._n_shells = 0
        self._open = False
        """Between start and stop, as who holds it knows them."""
        self._begun = False
        """It has been started in earnest."""
        self._alone = False
        """It has had what no other can have: nothing is shared any more."""

    def start(self) -> None:
        """What goes wrong with a start is told by the first command that needs it."""
        self._open = True

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
        argv = command if isinstance(command, str) else tuple(command)
        result: ExecResult = self._do(
            ("exec", argv, cwd, _items(env or {}), user, _digest(stdin), stdout_limit_bytes),
            lambda running: running.sandbox.exec(
                command, timeout_s=timeout_s, cwd=cwd, env=env, user=user, stdin=stdin,
                stdout_limit_bytes=stdout_limit_bytes,
            ),
        )  # fmt: skip
        return result

    def shell(self) -> SharingShell:
        self._do(("shell",), lambda running: running.shells.append(running.sandbox.shell()))
        self._n_shells += 1
        return SharingShell(self._do, self._n_shells - 1)

    def read(self, path: str, *, max_bytes: int = 64 << 20) -> bytes:
        data: bytes = self._do(
            ("read", path, max_bytes), lambda running: running.sandbox.read(path, max_bytes=max_bytes), changes=False
        )
        return data

    def write(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        self._do(("write", path, _digest(data), mode), lambda running: running.sandbox.write(path, data, mode=mode))

    def upload(self, source: Path, target: str) -> None:
        packed = _digest(transfer.archive([source], target))
        self._do(("upload", packed), lambda running: running.sandbox.upload(source, target))

    def download(self, source: str, target: Path) -> None:
        self._caught_up().sandbox.download(source, target)

    def pack(self, folder: str, names: Sequence[str], *, max_bytes: int = 256 << 20) -> bytes:
        data: bytes = self._do(
            ("pack", folder, tuple(names), max_bytes),
            lambda running: running.sandbox.pack(folder, names, max_bytes=max_bytes),
            changes=False,
        )
        return data

    def listen(self, port: int = 0) -> socket.socket:
        self._alone = True  # who calls through it is not seen here
        return self._caught_up().sandbox.listen(port)

    def diff(self) -> list[FileChange]:
        return list(self._do(("diff",), lambda running: running.sandbox.diff(), changes=False))

    def alive(self) -> bool:
        return self._open and (not self._begun or self._running.sandbox.alive())

    def snapshot(self) -> Image:
        return self._caught_up().sandbox.snapshot()

    def fork(self) -> Sandbox:
        return self._caught_up().sandbox.fork()

    def stop(self) -> None:
        with self._tree.changed:
            self._open, begun = False, self._begun
            self._tree.changed.notify_all()
        if begun:
            self._running.sandbox.stop()

    # -------------------------------------------------------------------------------------------------- the tree

    def _do(self, key: Hashable, run: Run, *, changes: bool = True) -> Any:
        """A command; `changes`: the sandbox may be another one after it."""
        answer, ours = self._claimed(key)
        if answer is None:
            return run(self._caught_up())
        if ours:
            self._run(key, answer, run)
        elif changes:
            self._owed.append(run)
        if changes:
            self._place = answer.then
        return _given(answer)

    def _claimed(self, key: Hashable) -> tuple[_Answer | None, bool]:
        """What is known of the command here, or an answer that is ours to find; None: nothing is shared any more."""
        with self._tree.changed:
            while not self._alone:
                self._check()
                answer = self._place.get(key)
                if answer is None:
                    answer = self._place[key] = _Answer()
                    return answer, True
                if answer.known and not answer.own:
                    return answer, False
                if answer.known:
                    self._alone = True
                else:
                    self._tree.changed.wait()
        return None, False

    def _run(self, key: Hashable, answer: _Answer, run: Run) -> None:
        """Find the answer. What infrastructure or the clock ended is nobody else's: others will run it themselves."""
        try:
            try:
                answer.result = run(self._caught_up())
            except SandboxError:
                raise
            except (OSError, ValueError) as error:
                answer.error = error
            answer.own = self._alone = isinstance(answer.result, ExecResult) and answer.result.timed_out
            answer.known = True
        finally:
            with self._tree.changed:
                if not answer.known:
                    del self._place[key]
                self._tree.changed.notify_all()
        self._tree.grown(self._tree, _n_bytes(answer.result))

    def _caught_up(self) -> _Running:
        """The sandbox with all commands so far. Raises SandboxError."""
        running = self._running
        with self._tree.changed:
            self._check()
            begun, self._begun = self._begun, True
        if not begun:
            running.sandbox.start()
            if not self._open:  # stopped meanwhile, by another thread
                running.sandbox.stop()
        while self._owed:
            try:
                self._owed[0](running)
            except SandboxError:
                raise
            except (OSError, ValueError):  # as it was answered
                pass
            del self._owed[0]
        return running

    def _check(self) -> None:
        if not self._open:
            raise SandboxLost(f"sandbox {self.id} is not running")


class SharingShell:
    """Matches `protocols.Shell`."""

    def __init__(self, do: Callable[[Hashable, Run], Any], number: int) -> None:
        self._do, self._number = do, number

    def run(self, command: str, *, timeout_s: float = 60.0) -> ExecResult:
        number = self._number
        result: ExecResult = self._do(
            ("run", number, command), lambda running: running.shells[number].run(command, timeout_s=timeout_s)
        )
        return result

    def close(self) -> None:
        number = self._number
        with contextlib.suppress(SandboxLost):
            self._do(("close", number), lambda running: running.shells[number].close())


def _given(answer: _Answer) -> Any:
    if answer.error is not None:
        raise copy.copy(answer.error)
    return answer.result


def _items(mapping: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(mapping.items()))


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest() if data else b""


def _n_bytes(result: Any) -> int:
    """About what is kept of an answer."""
    if isinstance(result, ExecResult):
        return 500 + len(result.stdout_bytes) + len(result.stderr)
    return 500 + (len(result) if isinstance(result, bytes) else 200 * len(result) if isinstance(result, list) else 0)
