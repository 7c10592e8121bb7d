"""What a namespaces sandbox costs: start, commands, fork, memory, and that nothing stays behind.

Timed, from call to return: start = create + start; reset = stop + create + start; a command = Shell.run or exec of
`true`; fork = Sandbox.fork, start of the twin included. Peers: the docker command-line client on a real engine (what
mini-swe-agent, Harbor and others call), its containers without a network as our sandboxes are, and SWE-ReX's local
bash session, which isolates nothing.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from agentgym.backends import make_backend
from agentgym.protocols import Backend, Image, Sandbox, SandboxSpec
from agentgym.sandbox.cache import cache_folder
from benchmarks import peers
from benchmarks.report import Row, arguments, interleaved, lower, publish


def started(backend: Backend, image: Image) -> Sandbox:
    sandbox = backend.create(SandboxSpec(image))
    sandbox.start()
    return sandbox


def starts(backend: Backend, image: Image, n: int) -> list[Row]:
    """The sandbox of a start is stopped and the container of a run removed outside the time."""
    held: list[Sandbox] = []
    running: list[str] = []
    current = started(backend, image)

    def start() -> None:
        held.append(started(backend, image))

    def reset() -> None:
        nonlocal current
        current.stop()
        current = started(backend, image)

    def run() -> None:
        running.append(peers.container())

    def tidy() -> float:
        held.pop().stop()
        peers.docker("rm", "-f", running.pop())
        return 0.0

    def bare_bwrap() -> None:
        subprocess.run(["bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"], check=True)

    took = interleaved(n, start=start, run=run, reset=reset, bwrap=bare_bwrap, tidy=tidy)
    current.stop()
    bound = f"bare `bwrap --unshare-all true`: {took['bwrap']:.1f} ms"
    docker = took["run"]
    return [
        lower("start: create and start a sandbox", took["start"], "ms", peer="docker run", peer_value=docker,
              bound=bound, at_most=10, ratio_at_least=40),
        lower("reset: stop a sandbox, start the next", took["reset"], "ms", peer="docker run, the old one left",
              peer_value=docker, bound=bound, at_most=10, ratio_at_least=40),
    ]  # fmt: skip


def commands(backend: Backend, image: Image, n: int) -> list[Row]:
    sandbox, container = started(backend, image), peers.container()
    shell = sandbox.shell()
    bash = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert bash.stdin is not None
    assert bash.stdout is not None
    ask, answer = bash.stdin, bash.stdout

    def bare_bash() -> None:
        ask.write(b"true; echo\n")
        answer.readline()

    with peers.swe_rex() as rex:
        took = interleaved(
            n,
            shell=lambda: void(shell.run("true")),
            bash=bare_bash,
            exec=lambda: void(sandbox.exec(["true"])),
            docker=lambda: void(peers.docker("exec", container, "true")),
        )
        theirs = interleaved(
            max(3, n // 10),
            shell=lambda: void(shell.run("true")),
            rex=lambda: rex.ms("command"),
            opened=lambda: _opened_ms(backend, image),
            rex_opened=lambda: rex.ms("start"),
        )
    bash.communicate()
    peers.docker("rm", "-f", container)
    sandbox.stop()
    live, rex_name = "command in a live shell", f"SWE-ReX {rex.version}, local session"
    bound = f"bare bash over two pipes: {took['bash']:.3f} ms"
    return [
        lower(live, took["shell"], "ms", peer="docker exec", peer_value=took["docker"], bound=bound,
              at_most=1, ratio_at_least=50),
        lower(live, theirs["shell"], "ms", peer=rex_name, peer_value=theirs["rex"], bound=bound),
        lower("command by itself (exec)", took["exec"], "ms", peer="docker exec", peer_value=took["docker"]),
        lower("start a sandbox and a shell in it", theirs["opened"], "ms", peer=rex_name,
              peer_value=theirs["rex_opened"]),
    ]  # fmt: skip


def _opened_ms(backend: Backend, image: Image) -> float:
    began = time.perf_counter()
    sandbox = started(backend, image)
    sandbox.shell()
    took = 1000 * (time.perf_counter() - began)
    sandbox.stop()
    return took


def void(_result: object) -> None:
    """For what is timed alone."""


def forks(backend: Backend, n: int) -> list[Row]:
    """The peer's container has changed the same five files; what it has in its image costs it nothing either."""
    rows: list[Row] = []
    change = "mkdir -p /repo && cd /repo && for i in 1 2 3 4 5; do echo changed > $i; done"
    for n_files in (10, 1000, 20000):
        with TemporaryDirectory() as folder:
            make = f"mkdir /repo && cd /repo && seq {n_files} | xargs touch"
            Path(folder, "Dockerfile").write_text(f"FROM {peers.IMAGE}\nRUN {make}\n")
            image = backend.build(Path(folder))
        sandbox, container = started(backend, image), peers.container()
        sandbox.exec(change)
        peers.docker("exec", container, "bash", "-c", change)

        def fork(sandbox: Sandbox = sandbox) -> float:
            began = time.perf_counter()
            twin = sandbox.fork()
            took = 1000 * (time.perf_counter() - began)
            twin.stop()
            return took

        def commit(container: str = container) -> float:
            began = time.perf_counter()
            copied = peers.docker("commit", container)
            twin = peers.docker(*peers.RUN, copied, "sleep", "3600")
            took = 1000 * (time.perf_counter() - began)
            peers.docker("rm", "-f", twin)
            peers.docker("rmi", copied)
            return took

        def start(image: Image = image) -> float:
            began = time.perf_counter()
            other = started(backend, image)
            took = 1000 * (time.perf_counter() - began)
            other.stop()
            return took

        took = interleaved(n, fork=fork, commit=commit, start=start)
        sandbox.stop()
        peers.docker("rm", "-f", container)
        rows.append(
            lower(f"fork of a live sandbox: {n_files:,} files in its image, 5 changed", took["fork"], "ms",
                  peer="docker commit + run", peer_value=took["commit"],
                  bound=f"start from its image: {took['start']:.1f} ms", at_most=15)
        )  # fmt: skip
    growth = rows[-1].value / rows[0].value
    return [*rows, lower("fork at 20,000 files over fork at 10", growth, "times", at_most=1.25)]


def memory(backend: Backend, image: Image, n: int) -> list[Row]:
    """The proportional share (PSS) of every process that is there for the sandboxes: in them, around them, and what the
    supervisor and this process grew by. What the kernel holds besides shows in the machine's available memory, which
    other programs move too."""
    started(backend, image).stop()
    before, available = _pss_mb(descendants(os.getpid())), _available_mb()
    held = [started(backend, image) for _ in range(n)]
    time.sleep(1.0)
    ours, taken = (_pss_mb(descendants(os.getpid())) - before) / n, (available - _available_mb()) / n
    for sandbox in held:
        sandbox.stop()
    n_containers = max(3, n // 5)
    available = _available_mb()
    containers = [peers.container() for _ in range(n_containers)]
    time.sleep(1.0)
    inits = [int(pid) for pid in peers.docker("inspect", "-f", "{{.State.Pid}}", *containers).split()]
    theirs = _pss_mb({pid for init in inits for pid in (init, _parent(init))}) / n_containers  # sleep, containerd-shim
    theirs_taken = (available - _available_mb()) / n_containers
    peers.docker("rm", "-f", *containers)
    peer = "docker container"
    return [
        lower(f"memory of one of {n} idle sandboxes: processes (PSS)", ours, "MB", peer=peer, peer_value=theirs,
              at_most=10),
        Row(f"memory of one of {n} idle sandboxes: fall of MemAvailable", taken, "MB", peer, theirs_taken,
            bound="no target: other programs move it too"),
    ]  # fmt: skip


def cycles(backend: Backend, image: Image, n: int) -> list[Row]:
    """Each leaves a file and a background process to clear away."""
    started(backend, image).stop()
    before = footprint()
    began = time.perf_counter()
    for _ in range(n):
        sandbox = started(backend, image)
        sandbox.exec("echo x > /tmp/file; sleep 1000 > /dev/null 2>&1 &")
        sandbox.stop()
    each_ms = 1000 * (time.perf_counter() - began) / n
    after = footprint()
    left = sum(max(0, after[what] - before[what]) for what in before)
    seen = ", ".join(f"{what} {before[what]} -> {after[what]}" for what in before)
    return [
        lower(f"left behind by {n:,} start/exec/stop cycles", left, "things", bound=seen, at_most=0),
        Row("one start/exec/stop cycle", each_ms, "ms"),
    ]


def footprint() -> dict[str, int]:
    """What this process and those below it occupy."""
    below = descendants(os.getpid()) - {os.getpid()}
    groups = [name for _, names, _ in os.walk("/sys/fs/cgroup") for name in names]
    run = str(cache_folder() / "run").lstrip("/")
    return {
        "processes": len(below),
        "mounts": sum(len(Path(f"/proc/{pid}/mountinfo").read_text().splitlines()) for pid in (os.getpid(), *below)),
        "cgroups": sum(name.startswith(f"agentgym-{os.getpid()}-") for name in groups),
        "descriptors": sum(1 for pid in (os.getpid(), *below) for _ in Path(f"/proc/{pid}/fd").iterdir()),
        "files": sum(1 for pid in below for _ in Path(f"/proc/{pid}/root", run).iterdir()),
    }


def descendants(pid: int) -> set[int]:
    """With `pid` itself."""
    parents = {int(entry.name): _parent(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _parent(pid: int) -> int:
    """0 for a process that is gone."""
    for line in _lines(Path(f"/proc/{pid}/status")):
        if line.startswith("PPid:"):
            return int(line.split()[1])
    return 0


def _pss_mb(pids: set[int]) -> float:
    lines = [line for pid in pids for line in _lines(Path(f"/proc/{pid}/smaps_rollup"))]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _available_mb() -> float:
    return next(int(line.split()[1]) / 1024 for line in _lines(Path("/proc/meminfo")) if line.startswith("MemAvail"))


def _lines(file: Path) -> Iterator[str]:
    """None when its process has ended."""
    try:
        yield from file.read_text().splitlines()
    except OSError:
        return


def bubblewrap() -> str:
    run = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=True)
    return run.stdout.split()[-1]


def main() -> None:
    options = arguments("sandbox")
    engine = peers.check_docker()
    backend = make_backend("namespaces")
    image = backend.image(peers.IMAGE)
    scale = 1 if options.quick else 5
    rows: list[Row] = []
    peers.progress("start and reset")
    rows += starts(backend, image, 8 * scale)
    peers.progress("commands")
    rows += commands(backend, image, 20 * scale)
    peers.progress("fork")
    rows += forks(backend, 4 * scale)
    peers.progress("memory")
    rows += memory(backend, image, 10 * scale)
    peers.progress("cycles")
    rows += cycles(backend, image, 50 if options.quick else 1000)
    versions = {"agentgym": version("agentgym"), "bubblewrap": bubblewrap(), "docker engine": engine}
    publish("sandbox", rows, versions, options.json)


if __name__ == "__main__":
    main()
