"""Sandbox.snapshot and fork: the files as they are now, independent from then on."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import pytest

from agentgym.protocols import Backend, Limits, Sandbox
from tests.sandbox.host import eventually, processes, unique_sleep

CHANGE = (
    "rm -r deep; rm notes.txt; mkdir notes.txt; echo in > notes.txt/x; rm -r pkg; mkdir pkg; echo new > pkg/new.py;"
    " chmod 711 tool.sh; ln -s pkg/new.py newlink; ln -sfn pkg link; mkdir -m 700 closed; ln greeting.txt hard;"
    " mv greeting.txt moved; printf 'bin\\0ary' > 'n ame é'; touch -d 2001-02-03 old;"
    " echo t > /tmp/t; echo r > /root/r; mkfifo pipe; echo x >> /usr/bin/env; rm /usr/bin/which"
)
LIST = (
    "cd /app && find . -printf '%p %y %m %s %l %n\\n' | grep -v '^\\. ' | sort; stat -c %Y old;"
    " cat pkg/new.py 'n ame é'; cat /tmp/t /root/r; tail -n 1 /usr/bin/env; ls /usr/bin/which 2>&1; stat -c '%U %G' /app/*"
)


def test_files_are_equal(sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    sandbox.exec(CHANGE)
    expected = sandbox.exec(LIST).stdout
    assert "new.py" in expected
    fork = forks()
    assert fork.exec(LIST).stdout == expected
    assert sandbox.exec(LIST).stdout == expected
    assert fork.alive()
    assert fork.id != sandbox.id


def test_fork_of_an_untouched_sandbox(sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    fork = forks()
    assert fork.exec("cat notes.txt").stdout == "first line\nsecond line\n"
    fork.exec("rm notes.txt")
    assert sandbox.exec("cat notes.txt").stdout == "first line\nsecond line\n"


def test_later_writes_are_independent(sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    sandbox.exec("echo shared > file; mkdir dir; echo a > dir/a")
    fork = forks()
    sandbox.exec("echo parent >> file; rm dir/a; echo p > parent")
    fork.exec("echo fork >> file; echo b > dir/b; rm notes.txt")
    assert sandbox.exec("cat file; ls dir; ls notes.txt parent").stdout == "shared\nparent\nnotes.txt\nparent\n"
    assert fork.exec("cat file; ls dir; ls notes.txt parent").stdout == "shared\nfork\na\nb\n"


def test_deleted_stays_deleted_and_replaced_stays_replaced(sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    """Through three generations, each deleting and replacing what the one before made."""
    state = "ls; ls pkg; cat deep 2>&1"
    one = sandbox
    one.exec("rm notes.txt; rm -r pkg; mkdir pkg; touch pkg/one")
    two = forks(one)
    two.exec("rm tool.sh; rm pkg/one; touch pkg/two notes.txt; rm -r deep; echo file > deep")
    three = forks(two)
    three.exec("rm notes.txt; rm -r pkg; mkdir pkg; touch pkg/three; rm deep; mkdir deep")
    four = forks(three)
    assert (
        one.exec(state).stdout
        == "deep\nempty\ngreeting.txt\nlink\npkg\nprivate.txt\ntool.sh\none\ncat: deep: Is a directory\n"
    )
    assert two.exec(state).stdout == "deep\nempty\ngreeting.txt\nlink\nnotes.txt\npkg\nprivate.txt\ntwo\nfile\n"
    last = "deep\nempty\ngreeting.txt\nlink\npkg\nprivate.txt\nthree\ncat: deep: Is a directory\n"
    assert three.exec(state).stdout == last
    assert four.exec(state).stdout == last
    assert four.exec("ls -A deep").stdout == ""


def test_fork_outlives_its_parent(sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    sandbox.exec("echo kept > file; rm notes.txt")
    fork = forks()
    grandchild = forks(fork)
    sandbox.stop()
    assert fork.exec("cat file; ls notes.txt").stdout == "kept\n"
    fork.stop()
    assert grandchild.exec("cat file; echo more >> file; cat file").stdout == "kept\nkept\nmore\n"


def test_snapshot_is_an_image(sandbox: Sandbox, make_sandbox: Callable[..., Sandbox], forks: object) -> None:
    sandbox.exec("echo then > file; cd /; rm -r /app/pkg")
    image = sandbox.snapshot()
    assert (image.backend, image.workdir, image.user) == (
        sandbox.spec.image.backend,
        sandbox.spec.image.workdir,
        sandbox.spec.image.user,
    )
    assert dict(image.env) == dict(sandbox.spec.image.env)
    assert image.ref != sandbox.spec.image.ref
    sandbox.exec("echo now > file")
    one, two = make_sandbox(image=image), make_sandbox(image=image)
    one.exec("echo one > file")
    assert two.exec("cat file; ls pkg 2>&1; pwd; echo $COLOUR").stdout == (
        "then\nls: cannot access 'pkg': No such file or directory\n/app\nblue\n"
    )
    assert two.diff() == []
    assert sandbox.exec("cat file").stdout == "now\n"
    sandbox.stop()
    assert make_sandbox(image=image).exec("cat file").stdout == "then\n"


def test_a_snapshot_outlives_those_on_top_of_it(sandbox: Sandbox, make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox.exec("echo kept > file")
    below = sandbox.snapshot()
    sandbox.stop()
    middle = make_sandbox(image=below)
    on_top = middle.snapshot()
    middle.stop()
    del on_top, middle
    gc.collect()
    assert make_sandbox(image=below).exec("cat file").stdout == "kept\n"


def test_snapshots_of_two_moments(sandbox: Sandbox, make_sandbox: Callable[..., Sandbox], forks: object) -> None:
    images = []
    for moment in range(3):
        sandbox.exec(f"echo {moment} > file; touch {moment}; rm -f {moment - 1}")
        images.append(sandbox.snapshot())
    for moment, image in enumerate(images):
        assert make_sandbox(image=image).exec("cat file; ls [0-9]").stdout == f"{moment}\n{moment}\n"


def test_processes_and_shells_of_the_original_go_on(sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    number = unique_sleep()
    shell = sandbox.shell()
    shell.run(f"cd deep; kept=yes; sleep {number} &")
    sandbox.exec("(i=0; while :; do i=$((i + 1)); echo $i > /app/count; sleep 0.02; done) >/dev/null 2>&1 &")
    assert eventually(lambda: sandbox.exec("[ -s count ]").exit_code == 0)
    pids = processes(f"sleep\0{number}")
    fork = forks()
    assert processes(f"sleep\0{number}") == pids, "processes are not in a snapshot, and live on in the original"
    assert fork.exec("pgrep sleep").exit_code == 1
    assert shell.run("echo $kept; pwd; cat er/file.txt").stdout == "yes\n/app/deep\ndeep\n"
    before = int(sandbox.exec("cat /app/count").stdout)
    assert eventually(lambda: int(sandbox.exec("cat /app/count").stdout or 0) > before)
    frozen = fork.exec("cat /app/count").stdout
    time.sleep(0.2)
    assert fork.exec("cat /app/count").stdout == frozen


def test_writes_through_an_open_descriptor(sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    """A program of the original holds a file open across the fork: what it writes goes to the original alone."""
    shell = sandbox.shell()
    shell.run("exec 7>> log; echo before >&7; exec 8<> data; printf 12345678 >&8")
    fork = forks()
    shell.run("echo after >&7; printf 9 >&8")
    assert fork.exec("cat log; cat data").stdout == "before\n12345678"
    assert sandbox.exec("cat log; cat data").stdout == "before\nafter\n123456789"


def test_work_in_a_folder_that_was_open(sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    """A shell of the original stands in a folder that is itself part of the change."""
    shell = sandbox.shell()
    shell.run("mkdir made; cd made; touch here")
    fork = forks()
    shell.run("echo relative > after; rm here")
    assert sandbox.exec("ls made").stdout == "after\n"
    assert fork.exec("ls made").stdout == "here\n"
    assert shell.run("ls; pwd").stdout == "after\n/app/made\n"


def test_writes_through_a_memory_map(sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    program = """
import mmap, os, time
with open("mapped", "w+b") as file:
    file.write(b"before" * 1000)
    file.flush()
    view = mmap.mmap(file.fileno(), 0)
    open("ready", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
    view[:5] = b"after"
    view.flush()
    open("done", "w").close()
"""
    sandbox.write("/app/map.py", program.encode())
    sandbox.exec("python3 map.py >/dev/null 2>&1 &")
    assert eventually(lambda: sandbox.exec("[ -e ready ]").exit_code == 0)
    fork = forks()
    sandbox.exec("touch go")
    assert eventually(lambda: sandbox.exec("[ -e done ]").exit_code == 0)
    assert fork.exec("head -c 6 mapped").stdout == "before"
    assert sandbox.exec("head -c 6 mapped").stdout == "aftere"


def test_limits_environment_and_network_come_along(
    make_sandbox: Callable[..., Sandbox], forks: Callable[..., Sandbox]
) -> None:
    limits = Limits(memory_mb=256, pids=64, output_bytes=1000)
    parent = make_sandbox(env={"MINE": "m"}, limits=limits, labels={"a": "b"})
    fork = forks(parent)
    assert fork.spec.limits == parent.spec.limits
    assert dict(fork.spec.labels) == {"a": "b"}
    assert fork.exec("pwd; echo $MINE $COLOUR").stdout == "/app\nm blue\n"
    assert fork.exec("seq 10000").truncated
    assert "held" not in fork.exec(["python3", "-c", "x = bytearray(512 << 20); print('held')"]).stdout
    assert fork.exec("tail -n +2 /proc/net/route").stdout == ""
    assert fork.exec("echo next").stdout == "next\n"


def test_fork_diff_is_complete(sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    """Grading takes the diff of a fork as it would take the original's."""
    sandbox.exec("echo x > new; rm notes.txt; rm -r pkg")
    fork = forks()
    fork.exec("echo y > newer; rm new")
    found = {change.path: change.kind for change in fork.diff()}
    assert found == {
        "/app/newer": "added",
        "/app/notes.txt": "deleted",
        "/app/pkg": "deleted",
        "/app/pkg/__init__.py": "deleted",
        "/app/pkg/module.py": "deleted",
    }


def test_fork_time_does_not_depend_on_size(sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    if sandbox.spec.image.backend == "docker":
        pytest.skip("docker commit copies what was written; only namespaces promises a time")
    sandbox.exec("head -c 200M /dev/zero > big; for i in $(seq 2000); do echo $i > f$i; done")
    started = time.monotonic()
    fork = forks()
    assert time.monotonic() - started < 2.0
    assert fork.exec("stat -c %s big; ls | wc -l").stdout.split()[0] == str(200 << 20)


def test_sixteen_forks(sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    sandbox.exec("echo start > file")
    children = [forks() for _ in range(16)]
    for i, child in enumerate(children):
        child.exec(f"echo {i} >> file")
    assert [child.exec("cat file").stdout for child in children] == [f"start\n{i}\n" for i in range(16)]
    assert sandbox.exec("cat file").stdout == "start\n"


def test_long_line_of_forks(backend: Backend, sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    """A search that forks at each step: layers pile up."""
    n_steps = 10 if backend.name == "docker" else 40  # a commit takes most of a second
    last = sandbox
    for i in range(n_steps):
        last.exec(f"echo {i} >> file; touch {i}; rm -f {i - 1}")
        last = forks(last)
    assert last.exec("tail -n 1 file; ls [0-9]*; wc -l < file").stdout == f"{n_steps - 1}\n{n_steps - 1}\n{n_steps}\n"
