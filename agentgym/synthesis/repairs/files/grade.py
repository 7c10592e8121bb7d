"""Calls the function of /repair/repair.py as in calls.txt and holds what it gives against wanted.txt.

The code under test runs as nobody in a process of its own, which ends before the wanted values are read: it is told
what to call, gives text through a pipe, and cannot know what would be right but by being right.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` takes longer to import than the rest to run
import os

ALLOWED_CPU_S, ALLOWED_S = 1.0, 10.0
NOBODY = 65534
SAID_CHARS = 1000
PIPE_BYTES = 1 << 16


def canonical(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(f"{key!r}: {canonical(item)}" for key, item in value.items())) + "}"
    return repr(value)


def answer(name: str, calls: list[str], pipe: int) -> None:
    _signal.setitimer(_signal.ITIMER_PROF, ALLOWED_CPU_S)  # what it brings, SIGPROF, ends us
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    with open("/repair/repair.py") as file:
        source = file.read()
    names: dict[str, object] = {}
    exec(compile(source, "repair.py", "exec"), names)
    for call in calls:
        try:
            said = canonical(names[name](*eval(call)))  # type: ignore[operator]
        except Exception as error:
            said = f"raises {type(error).__name__}"
        os.write(pipe, said[:SAID_CHARS].encode("utf-8", "replace") + b"\n")


def ask(name: str, calls: list[str]) -> list[str]:
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(ours)
            answer(name, calls, theirs)
        finally:
            os._exit(0)
    os.close(theirs)
    _signal.signal(_signal.SIGALRM, lambda *_: os.kill(child, _signal.SIGKILL))
    _signal.setitimer(_signal.ITIMER_REAL, ALLOWED_S)
    os.waitpid(child, 0)  # what it says fits into the pipe, which its own children may hold open
    _signal.setitimer(_signal.ITIMER_REAL, 0)
    os.set_blocking(ours, False)
    try:
        said = os.read(ours, PIPE_BYTES)
    except BlockingIOError:
        said = b""
    return said.decode("utf-8", "replace").split("\n")[:-1]


os.makedirs("/logs/verifier", exist_ok=True)
for folder in ("/logs/verifier", "/tests"):
    os.chmod(folder, 0o700)
with open("/tests/calls.txt") as file:
    name, *calls = file.read().splitlines()
said = ask(name, calls)
with open("/tests/wanted.txt") as file:
    wanted = file.read().splitlines()
n_right = sum(map(str.__eq__, said, wanted)) if len(said) == len(wanted) else 0
print(f"{n_right} of {len(wanted)} calls are right")
with open("/logs/verifier/reward.txt", "w") as file:
    file.write("1\n" if n_right == len(wanted) else "0\n")
