"""Calls the function of /repair/repair.py as in calls.txt and holds what it gives against wanted.txt.

The code under test runs as nobody in a process of its own, which ends before the wanted values are read: it is told
what to call, gives text through a pipe, and cannot know what would be right but by being right.
"""

import _signal  # `signal` itself takes longer to import than all the rest takes to run
import os

ALLOWED_CPU_S, ALLOWED_S = 1.0, 20.0
NOBODY = 65534
LIMIT_BYTES = 1 << 20


def canonical(value):
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(f"{key!r}: {canonical(item)}" for key, item in value.items())) + "}"
    return repr(value)


def answer(name, calls, pipe):
    _signal.setitimer(_signal.ITIMER_PROF, ALLOWED_CPU_S)  # what it brings, SIGPROF, ends us
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    with open("/repair/repair.py") as file:
        source = file.read()
    names = {}
    exec(compile(source, "repair.py", "exec"), names)
    for call in calls:
        try:
            said = canonical(names[name](*eval(call)))
        except Exception as error:
            said = f"raises {type(error).__name__}"
        os.write(pipe, said.encode("utf-8", "replace") + b"\n")


def ask(name, calls):
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(ours)
            answer(name, calls, theirs)
        finally:
            os._exit(0)
    os.close(theirs)

    def give_up(*_):
        raise TimeoutError

    _signal.signal(_signal.SIGALRM, give_up)
    _signal.setitimer(_signal.ITIMER_REAL, ALLOWED_S)
    said = b""
    try:
        while len(said) < LIMIT_BYTES and (part := os.read(ours, 1 << 16)):
            said += part
    except TimeoutError:
        said = b"out of time\n"
    _signal.setitimer(_signal.ITIMER_REAL, 0)
    os.kill(child, _signal.SIGKILL)
    os.waitpid(child, 0)
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
