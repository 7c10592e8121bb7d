"""Backends make sandboxes; sandboxes start, live, are lost, stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentgym.errors import SandboxError, SandboxLost
from agentgym.protocols import Backend, Image, Limits, Sandbox
from tests.sandbox.host import eventually, footprint, gone, init_of, processes, unique_sleep


def test_backend_says_what_the_machine_has(backend: Backend) -> None:
    checks = backend.doctor()
    assert checks
    assert all(check.ok and check.name and check.detail for check in checks)


def test_image_says_what_it_is(backend: Backend, image: Image) -> None:
    assert image.backend == backend.name
    assert image.ref
    assert (image.workdir, image.user) == ("/app", "root")
    assert (image.env["AGENTGYM_TEST"], image.env["COLOUR"]) == ("base", "blue")
    assert "GREETING" not in image.env


def test_a_created_sandbox_has_not_started(create_sandbox: Callable[..., Sandbox], image: Image) -> None:
    sandbox = create_sandbox(labels={"owner": "me"}, limits=Limits(pids=100))
    assert (sandbox.spec.image, sandbox.spec.labels, sandbox.spec.limits.pids) == (image, {"owner": "me"}, 100)
    assert not sandbox.alive()
    with pytest.raises(SandboxError):
        sandbox.exec("echo ran")
    sandbox.start()
    assert sandbox.alive()
    assert sandbox.exec("echo ran").stdout == "ran\n"


def test_ids_differ(create_sandbox: Callable[..., Sandbox]) -> None:
    assert len({create_sandbox().id for _ in range(20)}) == 20


def test_stop_before_start(create_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = create_sandbox()
    sandbox.stop()
    assert not sandbox.alive()


def test_stop_is_idempotent_and_final(sandbox: Sandbox, tmp_path: Path) -> None:
    number = unique_sleep()
    sandbox.exec(f"setsid sleep {number} >/dev/null 2>&1 & trap '' TERM; sleep {number} >/dev/null 2>&1 &")
    assert eventually(lambda: len(processes(number)) >= 2)
    trace = footprint(sandbox.id, processes(number)[0])
    sandbox.stop()
    assert not processes(number), "stop returned before every process had ended"
    sandbox.stop()
    assert not sandbox.alive()
    assert trace.vanishes(), trace.remains()
    for use in (
        lambda: sandbox.exec("echo ran"),
        lambda: sandbox.read("/app/notes.txt"),
        lambda: sandbox.write("/app/x", b"x"),
        lambda: sandbox.upload(Path(__file__).parent, "/app/x"),
        lambda: sandbox.download("/app", tmp_path / "x"),
        lambda: sandbox.diff(),
        lambda: sandbox.shell().run("echo ran"),
    ):
        with pytest.raises(SandboxLost):
            use()


def test_stop_while_a_command_runs(sandbox: Sandbox) -> None:
    number = unique_sleep()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(sandbox.exec, f"sleep {number}")
        assert eventually(lambda: bool(processes(number)))
        sandbox.stop()
        with pytest.raises(SandboxLost):
            running.result(timeout=15)
    assert gone(number)


def test_stop_while_files_are_brought_in(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(8 << 20))
    with ThreadPoolExecutor() as pool:
        uploads = [pool.submit(sandbox.upload, tmp_path, f"/app/{number}") for number in range(4)]
        time.sleep(0.03)
        sandbox.stop()
        errors = [upload.exception(timeout=60) for upload in uploads]
    assert any(errors)
    assert [error for error in errors if error is not None and not isinstance(error, SandboxLost)] == []


def test_stop_while_it_starts(create_sandbox: Callable[..., Sandbox]) -> None:
    """It has started, or says that it was lost; either way nothing of it is left."""
    for delay_s in (0.0, 0.001, 0.002, 0.004, 0.008):
        sandbox = create_sandbox()
        with ThreadPoolExecutor() as pool:
            starting = pool.submit(sandbox.start)
            time.sleep(delay_s)
            sandbox.stop()
            if (error := starting.exception(timeout=60)) is not None:
                assert isinstance(error, SandboxError)
        sandbox.stop()
        assert not sandbox.alive()


def test_two_threads_stop_at_once(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(sandbox.stop) for _ in range(4)]:
            done.result(timeout=30)
    assert not sandbox.alive()


def test_loss_is_not_an_exit_code(sandbox: Sandbox) -> None:
    """Its init is killed from outside while two commands run."""
    number = unique_sleep()
    shell = sandbox.shell()
    shell.run("true")
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(sandbox.exec, f"sleep {number}"), pool.submit(shell.run, f"sleep {number}; true")]
        assert eventually(lambda: len(processes(f"sleep\0{number}")) == 2)
        os.kill(init_of(processes(f"sleep\0{number}")[0]), signal.SIGKILL)
        for future in running:
            with pytest.raises(SandboxLost, match=sandbox.id):
                future.result(timeout=20)
    assert eventually(lambda: not sandbox.alive())
    with pytest.raises(SandboxLost):
        sandbox.exec("echo ran")
    with pytest.raises(SandboxLost):
        shell.run("echo ran")
    assert gone(number)
    sandbox.stop()


def test_ttl(make_sandbox: Callable[..., Sandbox]) -> None:
    number = unique_sleep()
    sandbox = make_sandbox(ttl_s=2.0)
    sandbox.exec(f"trap '' TERM; setsid sleep {number} >/dev/null 2>&1 &")
    assert sandbox.alive()
    assert eventually(lambda: bool(processes(number)), timeout_s=1.5)
    assert gone(number, timeout_s=8)
    assert eventually(lambda: not sandbox.alive())
    with pytest.raises(SandboxLost):
        sandbox.exec("echo ran")
    sandbox.stop()


def test_ttl_ends_a_running_command(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(ttl_s=2.0)
    started = time.monotonic()
    with pytest.raises(SandboxLost):
        sandbox.exec("sleep 60")
    assert time.monotonic() - started < 15


def test_sandboxes_do_not_share_files(make_sandbox: Callable[..., Sandbox]) -> None:
    one, two = make_sandbox(), make_sandbox()
    one.exec("echo one > mine; rm notes.txt; echo x >> pkg/module.py")
    assert two.exec("ls mine; cat pkg/module.py; head -n 1 notes.txt").stdout == "ANSWER = 42\nfirst line\n"
    one.stop()
    assert two.exec("cat pkg/module.py").stdout == "ANSWER = 42\n"


def test_many_sandboxes_at_once(make_sandbox: Callable[..., Sandbox]) -> None:
    def work(i: int) -> str:
        sandbox = make_sandbox()
        sandbox.write("/app/number", str(i).encode())
        return sandbox.exec("sleep 0.2; cat number").stdout

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(16))) == [str(i) for i in range(16)]


def test_start_from_a_thread_that_ends(create_sandbox: Callable[..., Sandbox]) -> None:
    """Linux ties parent-death signals to threads: the sandbox must outlive the thread that started it."""
    sandbox = create_sandbox()
    thread = threading.Thread(target=sandbox.start)
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert sandbox.alive()
    assert sandbox.exec("echo fine").stdout == "fine\n"


def test_host_name_and_init_are_its_own(sandbox: Sandbox) -> None:
    assert sandbox.exec("hostname").stdout != os.uname().nodename + "\n"
    assert sandbox.exec("[ $(ls -d /proc/[0-9]* | wc -l) -lt 12 ] && echo few").stdout == "few\n"


def test_prune_leaves_the_living(backend: Backend, sandbox: Sandbox) -> None:
    removed = backend.prune()
    assert not [line for line in removed if sandbox.id in line]
    assert sandbox.exec("echo fine").stdout == "fine\n"
