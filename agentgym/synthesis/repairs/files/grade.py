"""Calls the function of /repair/repair.py as in calls.txt and holds what it gives against wanted.txt.

The code under test runs as nobody in a process of its own, which ends before the wanted values are read: it is told
what to call, gives text through a pipe, and cannot know what would be right but by being right.
"""

# `signal` and `os` take longer to import than all the rest takes to run
import _signal
import posix

ALLOWED_CPU_S, ALLOWED_S = 1.0, 10.0
NOBODY = 65534
SAID_CHARS = 1000
PIPE_BYTES = 1 << 16


def canonical(value):
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(f"{key!r}: {canonical(item)}" for key, item in value.items())) + "}"
    return repr(value)


def answer(name, calls, pipe):
    _signal.setitimer(_signal.ITIMER_PROF, ALLOWED_CPU_S)  # what it brings, SIGPROF, ends us
    posix.setgroups([])
    posix.setresgid(NOBODY, NOBODY, NOBODY)
    posix.setresuid(NOBODY, NOBODY, NOBODY)
    with open("/repair/repair.py") as file:
        source = file.read()
    names = {}
    exec(compile(source, "repair.py", "exec"), names)
    for call in calls:
        try:
            said = canonical(names[name](*eval(call)))
        except Exception as error:
            said = f"raises {type(error).__name__}"
        posix.write(pipe, said[:SAID_CHARS].encode("utf-8", "replace") + b"\n")


def ask(name, calls):
    ours, theirs = posix.pipe()
    child = posix.fork()
    if child == 0:
        try:
            posix.close(ours)
            answer(name, calls, theirs)
        finally:
            posix._exit(0)
    posix.close(theirs)
    _signal.signal(_signal.SIGALRM, lambda *_: posix.kill(child, _signal.SIGKILL))
    _signal.setitimer(_signal.ITIMER_REAL, ALLOWED_S)
    posix.waitpid(child, 0)  # what it says fits into the pipe, which its own children may hold open
    _signal.setitimer(_signal.ITIMER_REAL, 0)
    posix.set_blocking(ours, False)
    try:
        said = posix.read(ours, PIPE_BYTES)
    except BlockingIOError:
        said = b""
    return said.decode("utf-8", "replace").split("\n")[:-1]


for folder in ("/logs", "/logs/verifier"):
    try:
        posix.mkdir(folder)
    except FileExistsError:
        pass
for folder in ("/logs/verifier", "/tests"):
    posix.chmod(folder, 0o700)
with open("/tests/calls.txt") as file:
    name, *calls = file.read().splitlines()
said = ask(name, calls)
with open("/tests/wanted.txt") as file:
    wanted = file.read().splitlines()
n_right = sum(map(str.__eq__, said, wanted)) if len(said) == len(wanted) else 0
print(f"{n_right} of {len(wanted)} calls are right")
with open("/logs/verifier/reward.txt", "w") as file:
    file.write("1\n" if n_right == len(wanted) else "0\n")
